//! When an open loop sends: at a constant rate, whatever has become of the requests before. A request is due when it is
//! due, also when nobody could send it then: what it waited counts as its latency.

use std::time::{Duration, Instant};

/// The moments of all requests, from the first to the last. Pure: it is told the time.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    begin: Instant,
    per_second: f64,
    taken: u64,
    all: u64,
}

impl Schedule {
    /// So many requests a second, above zero, for so long.
    pub(crate) fn new(begin: Instant, per_second: f64, lasts: Duration) -> Self {
        let per_second = per_second.max(f64::MIN_POSITIVE);
        Self { begin, per_second, taken: 0, all: (per_second * lasts.as_secs_f64()).floor() as u64 }
    }

    /// The next request that is due, by when it was to be sent; it is taken with this.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Instant> {
        // Counted from the beginning, so that roundings do not add up.
        let due = self.begin + Duration::from_secs_f64(self.taken as f64 / self.per_second);
        (self.taken < self.all && due <= now).then(|| {
            self.taken += 1;
            due
        })
    }

    /// How many have not been taken.
    pub(crate) fn left(&self) -> u64 {
        self.all - self.taken
    }

    /// From one request to the next.
    pub(crate) fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.per_second).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Schedule;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn requests_are_due_at_the_rate_and_not_before() {
        let begin = hull_clock::now();
        let mut schedule = Schedule::new(begin, 1_000.0, SECOND);
        assert_eq!(schedule.interval(), Duration::from_millis(1));
        assert_eq!(schedule.take_due(begin), Some(begin));
        assert_eq!(schedule.take_due(begin + Duration::from_micros(999)), None);
        let second = begin + Duration::from_millis(1);
        assert_eq!(schedule.take_due(second), Some(second));
        assert_eq!(schedule.left(), 998);
    }

    #[test]
    fn who_comes_late_gets_all_that_was_missed_with_the_times_it_was_due() {
        let begin = hull_clock::now();
        let mut schedule = Schedule::new(begin, 100.0, SECOND);
        let late = begin + Duration::from_millis(35);
        let due: Vec<_> = std::iter::from_fn(|| schedule.take_due(late)).map(|due| due - begin).collect();
        assert_eq!(due, [0, 10, 20, 30].map(Duration::from_millis));
    }

    #[test]
    fn it_ends_and_does_not_drift() {
        let begin = hull_clock::now();
        let mut schedule = Schedule::new(begin, 3_333.3, 60 * SECOND);
        let all: Vec<_> = std::iter::from_fn(|| schedule.take_due(begin + 1_000 * SECOND)).collect();
        assert_eq!(all.len(), 199_998);
        let last = all.last().map(|last| *last - begin).expect("one at least");
        assert!(last < 60 * SECOND && last > Duration::from_millis(59_999), "{last:?}");
        assert_eq!(schedule.left(), 0);
    }
}
