//! So much in a time, and no more than that at once: a bucket that fills with time. What bounds a rate
//! asks it; it never waits.

use std::time::{Duration, Instant};

/// A bucket of tokens. It is full at first.
#[derive(Debug)]
pub struct TokenBucket {
    capacity: u64,
    /// In which it fills from empty.
    period_nanos: u128,
    tokens: u64,
    /// The time up to which tokens have been filled in.
    filled_at: Instant,
}

impl TokenBucket {
    /// A bucket that fills with `per_second` tokens in a second and holds as many.
    pub fn new(per_second: u64, now: Instant) -> Self {
        Self::with_period(per_second, Duration::from_secs(1), now)
    }

    /// A bucket that holds `capacity` tokens and fills with as many in `period`.
    pub fn with_period(capacity: u64, period: Duration, now: Instant) -> Self {
        Self { capacity, period_nanos: period.as_nanos().max(1), tokens: capacity, filled_at: now }
    }

    /// Take one, or say how long it is until there is one.
    pub fn on_take_one(&mut self, now: Instant) -> Result<(), Duration> {
        if self.on_take(now, 1) == 1 {
            return Ok(());
        }
        let each = self.period_nanos.div_ceil(u128::from(self.capacity.max(1)));
        let next = self.filled_at + Duration::from_nanos(u64::try_from(each).unwrap_or(u64::MAX));
        Err(next.saturating_duration_since(now))
    }

    /// Take up to `wanted` tokens; how many there were.
    pub fn on_take(&mut self, now: Instant, wanted: u64) -> u64 {
        self.fill(now);
        let taken = wanted.min(self.tokens);
        self.tokens -= taken;
        taken
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at);
        let fresh = u128::from(self.capacity) * passed.as_nanos() / self.period_nanos;
        let room = u128::from(self.capacity - self.tokens);
        if fresh >= room {
            self.tokens = self.capacity;
            self.filled_at = self.filled_at.max(now);
        } else if fresh > 0 {
            self.tokens += u64::try_from(fresh).unwrap_or(u64::MAX);
            // The time that gave whole tokens: the rest counts for the next one.
            let used = (fresh * self.period_nanos).div_ceil(u128::from(self.capacity));
            self.filled_at += Duration::from_nanos(u64::try_from(used).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::TokenBucket;

    #[allow(clippy::disallowed_methods, reason = "any time will do to start from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_burst_of_a_second_then_the_rate() {
        let start = start();
        let mut bucket = TokenBucket::new(1000, start);
        assert_eq!(bucket.on_take(start, 600), 600);
        assert_eq!(bucket.on_take(start, 600), 400);
        assert_eq!(bucket.on_take(start, 1), 0);
        assert_eq!(bucket.on_take(start + Duration::from_millis(10), 100), 10);
        assert_eq!(bucket.on_take(start + Duration::from_hours(1), 5000), 1000);
    }

    /// However often and irregularly it is asked, it gives the rate: nothing is lost by rounding, nothing won.
    #[test]
    fn no_token_is_lost_or_made_by_asking_often() {
        let start = start();
        for seed in 1..=20_u64 {
            let mut bucket = TokenBucket::new(700, start);
            let (mut now, mut taken, mut state) = (start, bucket.on_take(start, 700), seed);
            while now < start + Duration::from_secs(3) {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                now += Duration::from_nanos((state >> 33) % 3_000_000 + 1);
                taken += bucket.on_take(now, 10);
            }
            let due = 700 + (700.0 * (now - start).as_secs_f64()) as u64;
            assert!(due.abs_diff(taken) <= 1, "seed {seed}: {taken} of {due}");
        }
    }

    #[test]
    fn who_comes_too_early_is_told_when_to_come() {
        let start = start();
        let mut bucket = TokenBucket::with_period(2, Duration::from_mins(1), start);
        assert_eq!((bucket.on_take_one(start), bucket.on_take_one(start)), (Ok(()), Ok(())));
        let later = start + Duration::from_secs(10);
        let wait = bucket.on_take_one(later).expect_err("there is none left");
        assert_eq!(wait, Duration::from_secs(20));
        assert_eq!(bucket.on_take_one(later + wait), Ok(()));
    }

    #[test]
    fn time_that_goes_back_gives_nothing() {
        let before = start();
        let start = before + Duration::from_secs(1);
        let mut bucket = TokenBucket::new(10, start);
        assert_eq!(bucket.on_take(start, 10), 10);
        assert_eq!(bucket.on_take(before, 10), 0);
        assert_eq!(bucket.on_take(start + Duration::from_millis(100), 10), 1);
    }
}
