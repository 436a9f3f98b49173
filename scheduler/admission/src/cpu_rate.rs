//! `cpu-rate`: a hard cap on the CPU time of one component. It delays and never kills: whoever has used more than has
//! come in waits until the debt is paid.

use std::time::{Duration, Instant};

/// CPU time is counted in hundredths of a nanosecond: a nanosecond of real time gives as many as there are percent, so
/// that nothing is lost, however often it is asked.
const HUNDREDTHS: i128 = 100;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// So much CPU time in a second of real time, and no more than a second's worth at once.
#[derive(Debug)]
pub struct CpuRate {
    percent: i128,
    /// What may be used now; below zero it is a debt.
    left_hundredths: i128,
    filled_at: Instant,
}

impl CpuRate {
    /// `percent` of one core; zero counts as one.
    pub fn new(percent: u32, now: Instant) -> Self {
        let percent = i128::from(percent.max(1));
        Self { percent, left_hundredths: percent * NANOS_PER_SECOND, filled_at: now }
    }

    /// The rate of what comes after this one, at `percent`: as full as this one is, or as long in debt.
    #[must_use]
    pub fn after(&mut self, percent: u32, now: Instant) -> Self {
        self.fill(now);
        let next = i128::from(percent.max(1));
        Self { percent: next, left_hundredths: self.left_hundredths * next / self.percent, filled_at: self.filled_at }
    }

    /// So much has been used.
    pub fn on_used(&mut self, now: Instant, cpu: Duration) {
        self.fill(now);
        self.left_hundredths = self.left_hundredths.saturating_sub(cpu.as_nanos() as i128 * HUNDREDTHS);
    }

    /// When it may run again, if it may not now.
    pub fn held_until(&mut self, now: Instant) -> Option<Instant> {
        self.fill(now);
        let debt = self.left_hundredths.min(0).unsigned_abs();
        let wait = u64::try_from(debt.div_ceil(self.percent.unsigned_abs())).unwrap_or(u64::MAX);
        (wait > 0).then(|| self.filled_at.checked_add(Duration::from_nanos(wait))).flatten()
    }

    /// What it has used of what one second gives, in cores.
    pub fn used(&mut self, now: Instant) -> f64 {
        self.fill(now);
        let full = self.percent * NANOS_PER_SECOND;
        (full - self.left_hundredths) as f64 / (HUNDREDTHS * NANOS_PER_SECOND) as f64
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_nanos() as i128;
        self.left_hundredths = (self.left_hundredths + passed * self.percent).min(self.percent * NANOS_PER_SECOND);
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::CpuRate;
    use crate::simulation::{Random, start, walk};

    const TICK: Duration = Duration::from_millis(1);

    #[test]
    fn a_second_of_it_at_once_and_then_the_rate() {
        let mut now = start();
        let mut rate = CpuRate::new(50, now);
        rate.on_used(now, Duration::from_millis(500));
        assert!((rate.used(now) - 0.5).abs() < 1e-9, "{}", rate.used(now));
        assert_eq!(rate.held_until(now), None, "what a second gives is not in debt");
        let (began, slice) = (now, Duration::from_millis(1));
        let mut used = Duration::ZERO;
        while used < Duration::from_secs(2) {
            rate.on_used(now, slice);
            used += slice;
            if let Some(until) = rate.held_until(now) {
                now = until;
            }
        }
        let took = now - began;
        assert!(took.abs_diff(Duration::from_secs(4)) < Duration::from_millis(5), "{took:?}");
    }

    #[test]
    fn a_pause_saves_up_no_more_than_a_second() {
        let mut now = start();
        let mut rate = CpuRate::new(10, now);
        now += Duration::from_mins(1);
        rate.on_used(now, Duration::from_millis(101));
        let wait = rate.held_until(now).expect("one more than there is") - now;
        assert!(wait.abs_diff(Duration::from_millis(10)) < Duration::from_millis(1), "{wait:?}");
    }

    #[test]
    fn what_comes_after_is_as_full_and_as_long_in_debt() {
        let now = start();
        let mut rate = CpuRate::new(50, now);
        rate.on_used(now, Duration::from_millis(750));
        let until = rate.held_until(now).expect("in debt");
        assert_eq!(until - now, Duration::from_millis(500));
        for percent in [5, 50, 400] {
            assert_eq!(rate.after(percent, now).held_until(now), Some(until), "at {percent}");
        }
        let mut half = CpuRate::new(100, now);
        half.on_used(now, Duration::from_millis(500));
        assert!((half.after(10, now).used(now) - 0.05).abs() < 1e-9);
    }

    #[test]
    fn it_is_held_to_the_nanosecond() {
        let now = start();
        let mut rate = CpuRate::new(3, now);
        rate.on_used(now, Duration::from_nanos(30_000_001));
        let until = now + Duration::from_nanos(34);
        assert_eq!(rate.held_until(now + Duration::from_nanos(33)), Some(until));
        assert_eq!((rate.held_until(now), rate.held_until(until)), (Some(until), None));
    }

    /// A component that runs whenever it is not held, and a model of what is left for it that gets each tick's part.
    struct Running {
        rate: CpuRate,
        now: Instant,
        /// CPU nanoseconds.
        tick_gives: i64,
        left: i64,
        used: u64,
        given: u64,
    }

    impl Running {
        fn begin(random: &mut Random) -> Self {
            let (percent, now) = (random.between(1, 400), start());
            let tick_gives = percent as i64 * 10_000;
            let left = tick_gives * 1000;
            Self { rate: CpuRate::new(percent as u32, now), now, tick_gives, left, used: 0, given: left as u64 }
        }

        fn step(&mut self, random: &mut Random) {
            let pause = if random.below(256) == 0 { 1500 } else { random.below(8) };
            for _ in 0..pause {
                self.now += TICK;
                self.left = (self.left + self.tick_gives).min(self.tick_gives * 1000);
                self.given += self.tick_gives as u64;
            }
            let held_until = self.rate.held_until(self.now);
            let ticks = held_until.map_or(0, |until| (until - self.now).as_nanos().div_ceil(TICK.as_nanos()));
            let expected =
                (0..10_000).find(|ticks| self.left + ticks * self.tick_gives >= 0).expect("a debt of one slice");
            assert_eq!(ticks as i64, expected, "ticks until it may run");
            if held_until.is_some() {
                return;
            }
            assert!(self.used <= self.given, "{} used of {}", self.used, self.given);
            let slice = random.between(1, 2_000_000);
            self.rate.on_used(self.now, Duration::from_nanos(slice));
            self.left -= slice as i64;
            self.used += slice;
        }
    }

    #[test]
    fn ten_million_steps_use_no_more_than_the_rate_and_hold_nobody_longer() {
        walk(10_000_000, Running::begin, Running::step);
    }
}
