//! `reserve.cpu`: CPU time that is set aside for one component. What it uses within that rate is its own and not a part
//! of its bulkhead's share, so that nobody who uses more can make it wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::nanos::nanos;

/// What is not used is kept for so long: enough for requests that come together, too little to take a core for a while.
const KEPT_FOR: Duration = Duration::from_millis(100);
/// Less than this is nothing: a moment after all of it was used there is a little again.
const WORTH: Duration = Duration::from_micros(100);
const WHOLE: u64 = 100;

/// So much CPU time in each stretch of real time. Asked by many threads at once, so it is atomic.
#[derive(Debug)]
pub struct CpuReserve {
    percent: u64,
    began: Instant,
    /// Everything that was given until then has been used; in nanoseconds since it began.
    used_until: AtomicU64,
}

impl CpuReserve {
    /// `percent` of one core; nothing is kept at first.
    pub fn new(percent: u32, now: Instant) -> Self {
        Self { percent: u64::from(percent), began: now, used_until: AtomicU64::new(0) }
    }

    /// How much of what was just used goes beyond the reserve.
    pub fn on_used(&self, now: Instant, cpu: Duration) -> Duration {
        if self.percent == 0 {
            return cpu;
        }
        let now = nanos(now.saturating_duration_since(self.began));
        let used = nanos(cpu);
        let mut beyond = 0;
        let take = |used_until: u64| {
            let from = used_until.max(now.saturating_sub(nanos(KEPT_FOR)));
            let covered = (now.saturating_sub(from).saturating_mul(self.percent) / WHOLE).min(used);
            beyond = used - covered;
            // Rounded up: what is given twice would add up.
            Some(from.saturating_add(covered.saturating_mul(WHOLE).div_ceil(self.percent)))
        };
        // The closure always gives a value, so there is no failure to look at.
        let _ = self.used_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        Duration::from_nanos(beyond)
    }

    /// Whether there is something left of it that is worth having.
    pub fn is_left(&self, now: Instant) -> bool {
        let now = nanos(now.saturating_duration_since(self.began));
        let from = self.used_until.load(Ordering::Relaxed).max(now.saturating_sub(nanos(KEPT_FOR)));
        now.saturating_sub(from).saturating_mul(self.percent) / WHOLE >= nanos(WORTH)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{CpuReserve, KEPT_FOR};
    use crate::simulation::{Random, start, walk};

    const TICK: Duration = Duration::from_millis(1);

    #[test]
    fn the_rate_is_its_own_and_no_more() {
        let began = start();
        let reserve = CpuReserve::new(50, began);
        assert!(!reserve.is_left(began), "it begins with nothing");
        let beyond: Duration = (1..=1000).map(|tick| reserve.on_used(began + TICK * tick, TICK * 4 / 5)).sum();
        assert_eq!(beyond, TICK * 300);
        assert!(!reserve.is_left(began + TICK * 1000));
        let later = |micros| began + TICK * 1000 + Duration::from_micros(micros);
        assert!(!reserve.is_left(later(199)), "a moment later there is next to nothing");
        assert!(reserve.is_left(later(200)));
    }

    #[test]
    fn what_is_not_used_is_kept_for_a_moment() {
        let began = start();
        let reserve = CpuReserve::new(200, began);
        let later = began + KEPT_FOR * 50;
        assert_eq!(reserve.on_used(later, KEPT_FOR * 3), KEPT_FOR);
        assert_eq!(reserve.on_used(later, TICK), TICK);
    }

    #[test]
    fn nothing_is_nothing() {
        let later = start() + KEPT_FOR;
        let reserve = CpuReserve::new(0, start());
        assert_eq!(reserve.on_used(later, TICK), TICK);
        assert!(!reserve.is_left(later));
    }

    /// Beside a bucket that is counted out.
    struct Model {
        reserve: CpuReserve,
        percent: u64,
        /// In hundredths of a nanosecond.
        left: u64,
        now: Instant,
    }

    #[test]
    fn ten_million_steps_give_what_a_bucket_gives() {
        let begin = |random: &mut Random| {
            let (percent, now) = (random.between(1, 400), start());
            Model { reserve: CpuReserve::new(percent as u32, now), percent, left: 0, now }
        };
        walk(10_000_000, begin, |model, random| {
            let passed = random.below(3_000_000);
            model.now += Duration::from_nanos(passed);
            let full = model.percent * KEPT_FOR.as_nanos() as u64;
            model.left = (model.left + passed * model.percent).min(full);
            let used = random.below(2_000_000);
            let beyond = model.reserve.on_used(model.now, Duration::from_nanos(used)).as_nanos() as u64;
            let covered = used - beyond;
            let expected = (model.left / 100).min(used);
            // Each step may lose what one nanosecond gives, to rounding.
            assert!(covered <= expected && expected - covered <= 1 + model.percent / 100, "{covered} of {expected}");
            let spent = (covered * 100).div_ceil(model.percent) * model.percent;
            model.left = model.left.saturating_sub(spent);
        });
    }
}
