//! `cpu-rate`: a hard cap on the CPU time of one component. It delays and never kills: whoever has used more than has
//! come in waits until the debt is paid.

use std::time::{Duration, Instant};

/// So much CPU time in a second of real time, and no more than a second's worth at once.
#[derive(Debug)]
pub struct CpuRate {
    /// CPU nanoseconds in a second.
    per_second: u64,
    /// What may be used now; below zero it is a debt.
    left_nanos: i128,
    filled_at: Instant,
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;

impl CpuRate {
    /// `percent` of one core; zero counts as one.
    pub fn new(percent: u32, now: Instant) -> Self {
        let per_second = u64::from(percent.max(1)) * 10_000_000;
        Self { per_second, left_nanos: i128::from(per_second), filled_at: now }
    }

    /// So much has been used.
    pub fn on_used(&mut self, now: Instant, cpu: Duration) {
        self.fill(now);
        self.left_nanos -= cpu.as_nanos() as i128;
    }

    /// When it may run again, if it may not now.
    pub fn held_until(&mut self, now: Instant) -> Option<Instant> {
        self.fill(now);
        let debt = u128::try_from(-self.left_nanos).ok().filter(|&debt| debt > 0)?;
        let wait = debt * NANOS_PER_SECOND as u128 / u128::from(self.per_second);
        now.checked_add(Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)) + Duration::from_nanos(1))
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_nanos() as i128;
        let fresh = passed * i128::from(self.per_second) / NANOS_PER_SECOND;
        // Short moments are kept until they give something.
        if fresh > 0 {
            self.left_nanos = (self.left_nanos + fresh).min(i128::from(self.per_second));
            self.filled_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::CpuRate;

    #[allow(clippy::disallowed_methods, reason = "any time will do to start from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_second_of_it_at_once_and_then_the_rate() {
        let mut now = start();
        let mut rate = CpuRate::new(50, now);
        rate.on_used(now, Duration::from_millis(500));
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
        now += Duration::from_secs(60);
        rate.on_used(now, Duration::from_millis(101));
        let wait = rate.held_until(now).expect("one more than there is") - now;
        assert!(wait.abs_diff(Duration::from_millis(10)) < Duration::from_millis(1), "{wait:?}");
    }
}
