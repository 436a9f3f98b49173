//! How long to wait before trying again what failed for reasons of the host's own.

use std::time::Duration;

/// A delay that doubles from `first` to `longest`, and is random in its upper half so that many do not come at once.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The delay after one more failure.
    pub(crate) fn next(&mut self, random: u64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        nth(self.first, self.longest, self.failures, random)
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// The delay after the `failures`th failure in a row, from 1.
pub(crate) fn nth(first: Duration, longest: Duration, failures: u32, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = first.saturating_mul(1 << doublings).min(longest);
    whole / 2 + share(whole / 2, random)
}

/// A random part of a duration.
pub(crate) fn share(of: Duration, random: u64) -> Duration {
    of.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn delays_double_up_to_the_longest_and_begin_anew() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(1000));
        let most: Vec<_> = (0..6).map(|_| backoff.next(u64::MAX).as_secs_f64()).collect();
        for (delay, whole) in most.iter().zip([0.1, 0.2, 0.4, 0.8, 1.0, 1.0]) {
            assert!((delay - whole).abs() < 1e-6, "{most:?}");
        }
        backoff.reset();
        assert_eq!(backoff.next(0), ms(50), "at least half");
        for _ in 0..100 {
            backoff.next(0);
        }
        assert_eq!(backoff.next(0), ms(500), "no overflow");
    }
}
