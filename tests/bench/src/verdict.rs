//! Whether a neighbour kept its promise: one place for the goals, so that the table and the docs say the same.

use std::time::Duration;

/// A p99 under attack may be so many times the one alone,
const P99_TIMES_MAX: u32 = 2;
/// or so much more, whichever is more.
const P99_MORE_MAX: Duration = Duration::from_millis(3);
/// `/healthz/live` answers within this.
const HEALTH_MAX: Duration = Duration::from_millis(50);
/// Afterwards memory is at most this share of what it was before.
const MEMORY_BACK: f64 = 1.10;

/// What one attack did to the victim and the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// The victim's requests that were not served.
    pub(crate) errors: u64,
    /// The victim's p99 without the attack.
    pub(crate) p99_alone: Duration,
    /// And under it.
    pub(crate) p99: Duration,
    /// The slowest answer of `/healthz/live`.
    pub(crate) health: Duration,
    /// The host's memory before, in bytes.
    pub(crate) memory_before: u64,
    /// And after.
    pub(crate) memory_after: u64,
}

/// Whether the memory is back.
pub(crate) fn is_back(before: u64, now: u64) -> bool {
    now as f64 <= before as f64 * MEMORY_BACK
}

/// Every goal that was missed; nothing when all was well.
pub(crate) fn missed(facts: &Facts) -> Vec<&'static str> {
    let p99_max = (facts.p99_alone * P99_TIMES_MAX).max(facts.p99_alone + P99_MORE_MAX);
    let goals = [
        (facts.errors == 0, "errors"),
        (facts.p99 <= p99_max, "p99"),
        (facts.health <= HEALTH_MAX, "healthz"),
        (is_back(facts.memory_before, facts.memory_after), "memory"),
    ];
    goals.into_iter().filter(|(is_met, _)| !is_met).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Facts, missed};

    const GOOD: Facts = Facts {
        errors: 0,
        p99_alone: Duration::from_millis(1),
        p99: Duration::from_millis(4),
        health: Duration::from_millis(50),
        memory_before: 1_000,
        memory_after: 1_100,
    };

    #[test]
    fn at_the_bounds_all_is_well() {
        assert!(missed(&GOOD).is_empty());
        let slow = Facts { p99_alone: Duration::from_millis(10), p99: Duration::from_millis(20), ..GOOD };
        assert!(missed(&slow).is_empty());
    }

    #[test]
    fn beyond_them_each_goal_is_named() {
        let nano = Duration::from_nanos(1);
        assert_eq!(missed(&Facts { errors: 1, ..GOOD }), ["errors"]);
        assert_eq!(missed(&Facts { p99: GOOD.p99 + nano, ..GOOD }), ["p99"]);
        assert_eq!(missed(&Facts { health: GOOD.health + nano, ..GOOD }), ["healthz"]);
        assert_eq!(missed(&Facts { memory_after: 1_101, errors: 9, ..GOOD }), ["errors", "memory"]);
    }
}
