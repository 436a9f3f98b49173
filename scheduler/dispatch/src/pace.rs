//! How often the host looks at requests for a component that is over its share. Each is read, turned away or answered on
//! a serving thread, and many connections would fill those threads' queue with that, guests or not: so it takes turns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hull_admission::nanos;

/// Of the serving threads' time, such a component gets one part in so many.
const PART: u64 = 100;
/// What attending to one request costs, between the extremes of what is measured.
const ATTENDED_LEAST: Duration = Duration::from_micros(5);
const ATTENDED_MOST: Duration = Duration::from_micros(200);
/// The longest wait for a turn.
const WAIT_MOST: Duration = Duration::from_millis(250);
/// How much of what was measured before still counts: seven parts in eight.
const REMEMBERED: u64 = 8;

/// Turns, spaced by what they cost. Times are in nanoseconds since the queue began.
#[derive(Debug)]
pub(crate) struct Pace {
    threads: u64,
    next: AtomicU64,
    attended: AtomicU64,
}

impl Pace {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1) as u64,
            next: AtomicU64::new(0),
            attended: AtomicU64::new(nanos(ATTENDED_LEAST)),
        }
    }

    /// So much was done for one request.
    pub(crate) fn on_attended(&self, cpu: Duration) {
        let cpu = nanos(cpu.clamp(ATTENDED_LEAST, ATTENDED_MOST));
        let before = self.attended.load(Ordering::Relaxed);
        // What is lost when two threads do this at once does not matter.
        self.attended.store((before * (REMEMBERED - 1) + cpu) / REMEMBERED, Ordering::Relaxed);
    }

    /// When the next turn is, which is taken. Those who are there for it wait no longer than [`WAIT_MOST`], so that those
    /// who have gone away leave no debt behind; who comes when so many wait already has that moment as well.
    pub(crate) fn next(&self, now: u64) -> u64 {
        let spacing = self.attended.load(Ordering::Relaxed) * PART / self.threads;
        let latest = now.saturating_add(nanos(WAIT_MOST));
        let take = |next: u64| Some(next.max(now).saturating_add(spacing).min(latest));
        // The closure always gives a value.
        let before = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        before.unwrap_or(now).clamp(now, latest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn turns_are_spaced_by_their_cost_and_not_saved_up() {
        let pace = Pace::new(2);
        for _ in 0..1000 {
            pace.on_attended(Duration::from_micros(20));
        }
        let now = 1_000_000_000;
        assert_eq!(pace.next(now), now, "the first one is due");
        let second = pace.next(now) - now;
        assert!(
            (950_000..=1_000_000).contains(&second),
            "20 µs are a hundredth of two threads' time in 1 ms: {second}"
        );
        assert_eq!(pace.next(now), now + second * 2);
        let later = now + 1_000_000_000;
        assert_eq!(pace.next(later), later, "turns that nobody took are gone");
    }

    #[test]
    fn nobody_waits_for_those_who_have_gone() {
        let pace = Pace::new(1);
        let turns = (0..100_000).map(|_| pace.next(0));
        assert_eq!(turns.max(), Some(super::WAIT_MOST.as_nanos() as u64));
        assert_eq!(pace.next(1_000_000_000), 1_000_000_000);
    }

    #[test]
    fn one_measurement_changes_little() {
        let pace = Pace::new(1);
        pace.on_attended(Duration::from_secs(1));
        let first = pace.next(0);
        assert!(pace.next(0) - first < 30 * 100 * 1000, "less than 30 µs each");
    }
}
