//! Whether reads of a database are quick. One that is costs less than to hand it to another thread and to be told of its
//! end, so it is first tried on the thread that asks, for a moment; what has not ended by then begins again elsewhere,
//! and for a while the next ones do not try.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a read may take on the thread that asks.
pub(super) const GLANCE: Duration = Duration::from_micros(200);
/// How many bytes it may give there: while they are copied, the thread serves nobody.
pub(super) const GLANCE_BYTES_MAX: usize = 64 * 1024;
/// For how long no read is tried after one that was not quick; doubled each time, up to [`DOUBLINGS_MAX`] times.
const SLOW_FOR: Duration = Duration::from_millis(100);
const DOUBLINGS_MAX: u32 = 5;
/// After so long without a read that was not quick, all earlier ones are forgiven.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Quickness(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    slow_until: Option<Instant>,
    doublings: u32,
}

impl Quickness {
    /// Whether the next read may be tried on the thread that asks.
    pub(super) fn may_glance(&self, now: Instant) -> bool {
        self.0.lock().slow_until.is_none_or(|until| now >= until)
    }

    /// A read was not quick.
    pub(super) fn on_slow(&self, now: Instant) {
        let mut state = self.0.lock();
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

    use super::{FORGIVEN_AFTER, Quickness, SLOW_FOR};

    #[test]
    fn who_is_slow_waits_longer_each_time_and_is_forgiven() {
        let quickness = Quickness::default();
        let mut now = hull_clock::now();
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
}
