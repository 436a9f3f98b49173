//! Real time and randomness: the one place that reads them, so that everything else can be driven by a test.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// The monotonic clock: for durations and deadlines.
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock: for what people read and for timers that outlive the process. It may step.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since 1970 by the wall clock; 0 for a clock set before that.
pub fn unix_ms() -> u64 {
    wall().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}

/// The CPU time that the calling thread has used since it started.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The CPU time that all threads of this process have used since it started.
pub fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// A new identifier that sorts by the time it was made (UUID version 7).
pub fn time_ordered_id() -> Uuid {
    Uuid::now_v7()
}

/// Sixteen random bytes: for trace ids, tokens and jitter seeds. They come from a generator that the operating
/// system seeds.
pub fn random_bytes() -> [u8; 16] {
    Uuid::new_v4().into_bytes()
}

/// Sixty-four random bits, all of them random (a version-4 UUID fixes six of its bits; these avoid them).
pub fn random_u64() -> u64 {
    let bytes = random_bytes();
    let mut mixed = [0_u8; 8];
    for (index, byte) in mixed.iter_mut().enumerate() {
        *byte = bytes[index] ^ bytes[index + 8].rotate_left(3);
    }
    u64::from_le_bytes(mixed)
}

/// The wall clock as RFC 3339 in UTC with milliseconds, as CloudEvents and logs want it.
pub fn rfc3339_now() -> String {
    rfc3339(unix_ms())
}

/// Milliseconds since 1970 as RFC 3339 in UTC.
pub fn rfc3339(unix_ms: u64) -> String {
    let of_day = unix_ms % 86_400_000;
    format!(
        "{}T{:02}:{:02}:{:02}.{:03}Z",
        date((unix_ms / 86_400_000) as i64),
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1_000 % 60,
        of_day % 1_000
    )
}

/// A day since 1970 in the Gregorian calendar. Years are counted from March, so that the day which some have and others
/// do not is the last one; the arithmetic is Howard Hinnant's `civil_from_days`.
pub fn date(days: i64) -> String {
    let since = days + 719_468;
    let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn rfc3339_matches_known_instants() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(rfc3339(4_102_444_800_000), "2100-01-01T00:00:00.000Z");
    }
}
