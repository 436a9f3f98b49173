//! Spans of time. Zero is refused: no timeout, interval or retention in a manifest means anything at zero.

use std::time::Duration;

use super::{number_and_unit, unknown_unit};
use crate::effective::Shown;
use crate::problem::Invalid;
use crate::read::{Item, Setting};

/// The longest time that may be written: a hundred years, so that adding it to a clock cannot overflow.
pub const DURATION_MAX: Duration = Duration::from_hours(100 * 365 * 24);

const WANTED: &str = "a duration such as \"250ms\", \"5s\", \"1m\" or \"7d\"";

/// Units in microseconds, the largest first.
const UNITS: [(&str, u64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1)];

/// Parse `250ms`, `5s`, `1m`, `2h`, `7d` or `500us`.
pub fn parse_duration(text: &str) -> Result<Duration, Invalid> {
    let wrong = |what: &str| Invalid::new(format!("\"{text}\" {what}"), format!("write {WANTED}"));
    let (number, unit) = number_and_unit(text, WANTED)?;
    let Some((_, micros)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(wrong(&unknown_unit(unit)));
    };
    let duration = number.checked_mul(*micros).map(Duration::from_micros);
    match duration.filter(|duration| *duration <= DURATION_MAX) {
        Some(Duration::ZERO) => Err(wrong("is no time at all")),
        Some(duration) => Ok(duration),
        None => Err(wrong("is longer than a hundred years")),
    }
}

/// Format as [`parse_duration`] reads it, in the largest unit that fits without a remainder.
pub fn format_duration(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &&(&str, u64)| micros >= *unit && micros.is_multiple_of(*unit);
    let (name, unit) = UNITS.iter().find(fits).unwrap_or(&("s", 1_000_000));
    format!("{}{name}", micros / unit)
}

impl Setting for Duration {
    const WANTED: &'static str = WANTED;

    fn read(item: &Item<'_>) -> Option<Self> {
        let text = item.text(WANTED)?;
        parse_duration(text).map_err(|invalid| item.report.invalid(&item.span, &item.path, invalid)).ok()
    }

    fn show(&self) -> Shown {
        Shown::Text(format_duration(*self))
    }
}
