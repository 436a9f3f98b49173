//! Durations as whole numbers, for what many threads count together: an atomic holds no `Duration`.

use std::time::Duration;

/// In nanoseconds; what lasts longer than 584 years counts as so much.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
