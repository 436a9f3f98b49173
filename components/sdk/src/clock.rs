//! Time: milliseconds since 1970 inside, RFC 3339 outside.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Now, by the host's clock.
pub fn now_ms() -> i64 {
    let now = wasip2::clocks::wall_clock::now();
    let seconds = i64::try_from(now.seconds).unwrap_or_default();
    seconds.saturating_mul(1000).saturating_add(i64::from(now.nanoseconds / 1_000_000))
}

/// Wait.
pub fn sleep(duration: Duration) {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    wasip2::clocks::monotonic_clock::subscribe_duration(nanoseconds).block();
}

/// `2026-11-20T22:59:00.123Z`.
pub fn rfc3339(ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    time.ok().and_then(|t| t.format(&Rfc3339).ok()).unwrap_or_default()
}

/// For `#[serde(serialize_with = "clock::as_rfc3339")]` on a field of milliseconds.
// serde hands over a reference, whatever the size.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub fn as_rfc3339<S: serde::Serializer>(ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339(*ms))
}

/// Milliseconds of a time in RFC 3339, with any offset.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(parse_rfc3339("2023-11-14T22:13:20.123Z"), Some(1_700_000_000_123));
        assert_eq!(parse_rfc3339("2023-11-15T00:13:20.123+02:00"), Some(1_700_000_000_123));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }
}
