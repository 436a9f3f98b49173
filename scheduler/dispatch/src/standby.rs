//! When a guest thread leaves its turns to the others and to the thread that relieves them. What is in the kernel's idle class
//! and has begun a slice keeps it, however long the processor is with other programs: a millisecond can take a third of a
//! second. A thread that learns that stands back for a while.

use std::time::{Duration, Instant};

/// A thread that made no progress for so long during a slice has no processor to run on, or waits for what is as slow.
const STARVED_AFTER: Duration = Duration::from_millis(100);
/// For how long it stands back the first time; each time that it was not enough, twice as long.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(8);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Standby {
    until: Option<Instant>,
    doublings: u32,
}

impl Standby {
    /// A slice has ended, during which the thread did nothing for as long as `lost`.
    pub(crate) fn on_slice(&mut self, now: Instant, lost: Duration) {
        if lost < STARVED_AFTER {
            self.doublings = 0;
        } else {
            self.until = Some(now + LONGEST.min(FIRST * (1 << self.doublings)));
            self.doublings = (self.doublings + 1).min(LONGEST.as_secs().ilog2());
        }
    }

    /// Until when it stands back, if it does now.
    pub(crate) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_starved_again_stands_back_for_longer() {
        let mut standby = Standby::default();
        let mut now = hull_clock::now();
        standby.on_slice(now, STARVED_AFTER - Duration::from_millis(1));
        assert_eq!(standby.until(now), None);
        for seconds in [1, 2, 4, 8, 8] {
            standby.on_slice(now, STARVED_AFTER);
            let until = now + Duration::from_secs(seconds);
            assert_eq!(standby.until(now), Some(until));
            now = until;
            assert_eq!(standby.until(now), None);
        }
        standby.on_slice(now, Duration::ZERO);
        standby.on_slice(now, STARVED_AFTER);
        assert_eq!(standby.until(now), Some(now + FIRST), "one slice that was not starved ends the series");
    }
}
