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

/// Every goal that was missed in too many rounds, and in how many; nothing when all was well. One error or late
/// `/healthz/live` is too many; of p99 and memory, which the machine moves as well, half of the rounds are.
pub(crate) fn missed(rounds: &[Facts]) -> Vec<(&'static str, usize)> {
    let half = rounds.len().div_ceil(2);
    let goals: [(_, fn(&Facts) -> bool, _); 4] = [
        ("errors", |facts| facts.errors == 0, 1),
        ("p99", is_quick, half),
        ("healthz", |facts| facts.health <= HEALTH_MAX, 1),
        ("memory", is_back, half),
    ];
    let missed = |is_met: fn(&Facts) -> bool| rounds.iter().filter(|facts| !is_met(facts)).count();
    let told = goals.into_iter().map(|(name, is_met, too_many)| (name, missed(is_met), too_many));
    told.filter(|(_, missed, too_many)| missed >= too_many).map(|(name, missed, _)| (name, missed)).collect()
}

fn is_quick(facts: &Facts) -> bool {
    facts.p99 <= (facts.p99_alone * P99_TIMES_MAX).max(facts.p99_alone + P99_MORE_MAX)
}

fn is_back(facts: &Facts) -> bool {
    facts.memory_after as f64 <= facts.memory_before as f64 * MEMORY_BACK
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
        assert!(missed(&[GOOD]).is_empty());
        let slow = Facts { p99_alone: Duration::from_millis(10), p99: Duration::from_millis(20), ..GOOD };
        assert!(missed(&[slow]).is_empty());
    }

    #[test]
    fn beyond_them_each_goal_is_named() {
        let nano = Duration::from_nanos(1);
        assert_eq!(missed(&[Facts { errors: 1, ..GOOD }]), [("errors", 1)]);
        assert_eq!(missed(&[Facts { p99: GOOD.p99 + nano, ..GOOD }]), [("p99", 1)]);
        assert_eq!(missed(&[Facts { health: GOOD.health + nano, ..GOOD }]), [("healthz", 1)]);
        assert_eq!(missed(&[Facts { memory_after: 1_101, errors: 9, ..GOOD }]), [("errors", 1), ("memory", 1)]);
    }

    #[test]
    fn of_several_rounds_one_error_is_too_many_and_half_of_them_late() {
        let late = Facts { p99: GOOD.p99 * 2, memory_after: 1_101, ..GOOD };
        assert!(missed(&[late, GOOD, GOOD]).is_empty());
        assert_eq!(missed(&[late, GOOD]), [("p99", 1), ("memory", 1)]);
        assert_eq!(missed(&[late, late, GOOD]), [("p99", 2), ("memory", 2)]);
        let bad = Facts { errors: 1, health: GOOD.health * 2, ..GOOD };
        assert_eq!(missed(&[GOOD, GOOD, bad]), [("errors", 1), ("healthz", 1)]);
    }
}
