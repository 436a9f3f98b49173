//! So much in a time, and no more than that at once: a bucket that fills with time. What bounds a rate
//! asks it; it never waits.

use std::time::{Duration, Instant};

use crate::nanos::nanos;

/// A bucket of tokens. It is full at first.
#[derive(Debug)]
pub struct TokenBucket {
    capacity: u64,
    /// In which it fills from empty.
    period_nanos: u64,
    /// Tokens times `period_nanos`: what a nanosecond gives is a whole number of these, so that no part of a token is
    /// lost, however often it is asked.
    level: u128,
    /// The time up to which it has been filled.
    filled_at: Instant,
}

impl TokenBucket {
    /// A bucket that fills with `per_second` tokens in a second and holds as many.
    pub fn new(per_second: u64, now: Instant) -> Self {
        Self::with_period(per_second, Duration::from_secs(1), now)
    }

    /// A bucket that holds `capacity` tokens and fills with as many in `period`.
    pub fn with_period(capacity: u64, period: Duration, now: Instant) -> Self {
        let period_nanos = nanos(period).max(1);
        let level = u128::from(capacity) * u128::from(period_nanos);
        Self { capacity, period_nanos, level, filled_at: now }
    }

    /// Hold `capacity` tokens from now on and fill with as many in `period`. What there is stays, as far as it fits.
    pub fn change(&mut self, capacity: u64, period: Duration, now: Instant) {
        let next = Self::with_period(capacity, period, now);
        if (next.capacity, next.period_nanos) == (self.capacity, self.period_nanos) {
            return;
        }
        let left = self.left(now).min(next.capacity);
        *self = Self { level: next.level_of(u128::from(left)), ..next };
    }

    /// Take one, or say how long it is until there is one.
    pub fn on_take_one(&mut self, now: Instant) -> Result<(), Duration> {
        self.on_take_all(now, 1)
    }

    /// Take so many and no fewer, or say how long it is until there are as many, if nobody takes any before. More than
    /// it holds never come; the time says when as many have come in.
    pub fn on_take_all(&mut self, now: Instant, wanted: u64) -> Result<(), Duration> {
        let wait = self.wait_for(now, u128::from(wanted));
        if wait > Duration::ZERO {
            return Err(wait);
        }
        self.level -= self.level_of(u128::from(wanted));
        Ok(())
    }

    /// Take up to `wanted` tokens; how many there were.
    pub fn on_take(&mut self, now: Instant, wanted: u64) -> u64 {
        let taken = wanted.min(self.left(now));
        self.level -= self.level_of(u128::from(taken));
        taken
    }

    /// How many there are.
    pub fn left(&mut self, now: Instant) -> u64 {
        self.fill(now);
        // Never more than the capacity.
        (self.level / u128::from(self.period_nanos)) as u64
    }

    /// How long it is until so many have come in, with those that are there; zero when they are.
    pub(crate) fn wait_for(&mut self, now: Instant, wanted: u128) -> Duration {
        self.fill(now);
        let missing = self.level_of(wanted).saturating_sub(self.level);
        if missing == 0 {
            return Duration::ZERO;
        }
        let nanos = missing.div_ceil(u128::from(self.capacity.max(1)));
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        // After a clock that went back, time gives nothing until it has caught up.
        wait.saturating_add(self.filled_at.saturating_duration_since(now))
    }

    fn level_of(&self, tokens: u128) -> u128 {
        tokens.saturating_mul(u128::from(self.period_nanos))
    }

    fn fill(&mut self, now: Instant) {
        let full = self.level_of(u128::from(self.capacity));
        let passed = now.saturating_duration_since(self.filled_at).as_nanos().min(u128::from(self.period_nanos));
        self.level = self.level.saturating_add(passed * u128::from(self.capacity)).min(full);
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
#[path = "token_bucket_tests.rs"]
mod tests;
