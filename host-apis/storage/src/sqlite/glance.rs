//! Whether reads of a database are quick. One that is costs less than to hand it to another thread and to be told of its
//! end, so it is first tried on the thread that asks, for a moment; what has not ended by then begins again elsewhere.
//! If that happens to many, the next ones do not try for a while.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a read may take on the thread that asks.
pub(super) const GLANCE: Duration = Duration::from_micros(200);
/// How many bytes it may give there: while they are copied, the thread serves nobody.
pub(super) const GLANCE_BYTES_MAX: usize = 64 * 1024;
/// A read that was not quick weighs as much as so many that were. On a machine with more to do than processors threads are
/// taken from their work, which makes one read in some hundreds late; a database whose reads are long shows it each time.
const WEIGHT: u32 = 16;
/// With more weight than this, reads are not quick.
const WEIGHT_MAX: u32 = 3 * WEIGHT;
/// For how long no read is tried then; doubled each time, up to [`DOUBLINGS_MAX`] times.
const SLOW_FOR: Duration = Duration::from_millis(100);
const DOUBLINGS_MAX: u32 = 5;
/// After so long without such a time, all earlier ones are forgiven.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Quickness {
    weight: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    slow_until: Option<Instant>,
    doublings: u32,
}

impl Quickness {
    /// Whether the next read may be tried on the thread that asks.
    pub(super) fn may_glance(&self, now: Instant) -> bool {
        self.state.lock().slow_until.is_none_or(|until| now >= until)
    }

    /// A read was quick.
    pub(super) fn on_quick(&self) {
        let weight = self.weight.load(Ordering::Relaxed);
        if weight > 0 {
            // What is lost when two threads do this at once does not matter.
            self.weight.store(weight - 1, Ordering::Relaxed);
        }
    }

    /// A read was not quick.
    pub(super) fn on_slow(&self, now: Instant) {
        let weight = self.weight.fetch_add(WEIGHT, Ordering::Relaxed).saturating_add(WEIGHT);
        if weight <= WEIGHT_MAX {
            return;
        }
        // After the pause one more shows whether anything has changed.
        self.weight.store(WEIGHT_MAX, Ordering::Relaxed);
        let mut state = self.state.lock();
        if state.slow_until.is_some_and(|until| now >= until + FORGIVEN_AFTER) {
            state.doublings = 0;
        }
        // Several may have been tried at once.
        if state.slow_until.is_none_or(|until| now >= until) {
            state.slow_until = Some(now + SLOW_FOR * (1 << state.doublings));
            state.doublings = (state.doublings + 1).min(DOUBLINGS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FORGIVEN_AFTER, Quickness, SLOW_FOR, WEIGHT, WEIGHT_MAX};

    #[test]
    fn who_is_slow_waits_longer_each_time_and_is_forgiven() {
        let quickness = Quickness::default();
        let mut now = hull_clock::now();
        for _ in 0..WEIGHT_MAX / WEIGHT {
            assert!(quickness.may_glance(now));
            quickness.on_slow(now);
        }
        assert!(quickness.may_glance(now));
        for doubling in [1, 2, 4, 8, 16, 32, 32] {
            quickness.on_slow(now);
            quickness.on_slow(now);
            let until = now + SLOW_FOR * doubling;
            assert!(!quickness.may_glance(until - Duration::from_nanos(1)));
            assert!(quickness.may_glance(until));
            now = until;
        }
        now += FORGIVEN_AFTER;
        quickness.on_slow(now);
        assert!(quickness.may_glance(now + SLOW_FOR));
    }

    #[test]
    fn one_late_read_among_many_changes_nothing() {
        let quickness = Quickness::default();
        let now = hull_clock::now();
        for _ in 0..10_000 {
            quickness.on_slow(now);
            assert!(quickness.may_glance(now));
            for _ in 0..WEIGHT {
                quickness.on_quick();
            }
        }
    }

    #[test]
    fn many_late_reads_among_quick_ones_are_noticed() {
        let quickness = Quickness::default();
        let now = hull_clock::now();
        for _ in 0..10 {
            quickness.on_slow(now);
            for _ in 0..WEIGHT / 2 {
                quickness.on_quick();
            }
        }
        assert!(!quickness.may_glance(now));
    }
}
