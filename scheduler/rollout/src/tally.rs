//! What was seen of one side: how many requests, how many failed, and how long they took.

use std::time::Duration;

/// Where latencies are counted: 32 bounds per power of ten, from 10 µs to 1,000 s. Two that are told apart differ by 7.5 %
/// at least.
const BOUNDS: usize = 8 * PER_DECADE + 1;
const PER_DECADE: usize = 32;
const FIRST_SECONDS: f64 = 1e-5;

/// Requests of one side since a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    failed: u64,
    /// By how long they took.
    took: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { failed: 0, took: vec![0; BOUNDS] }
    }
}

impl Tally {
    /// One has been answered. A failure is what the service answers for: 5xx and what broke off, not 4xx.
    pub fn add(&mut self, took: Duration, failed: bool) {
        self.failed += u64::from(failed);
        if let Some(count) = self.took.get_mut(bucket(took)) {
            *count += 1;
        }
    }

    /// All of another.
    pub fn add_all(&mut self, other: &Self) {
        self.failed += other.failed;
        self.took.iter_mut().zip(&other.took).for_each(|(count, more)| *count += more);
    }

    /// How many there were.
    pub fn requests(&self) -> u64 {
        self.took.iter().sum()
    }

    /// How many failed.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The share that failed; none of none.
    pub fn failure_rate(&self) -> f64 {
        match self.requests() {
            0 => 0.0,
            requests => self.failed as f64 / requests as f64,
        }
    }

    /// The time within which that share was answered, rounded up to a bound.
    pub fn quantile(&self, share: f64) -> Duration {
        bound(self.bucket_at(share))
    }

    /// The place of a quantile.
    pub(crate) fn bucket_at(&self, share: f64) -> usize {
        let wanted = (self.requests() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = self.took.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        found.unwrap_or(BOUNDS - 1)
    }

    /// How many took longer than what a place stands for.
    pub(crate) fn above(&self, bucket: usize) -> u64 {
        self.took.iter().skip(bucket + 1).sum()
    }
}

fn bucket(took: Duration) -> usize {
    let decades = (took.as_secs_f64() / FIRST_SECONDS).log10();
    // What is shorter than the first bound is in the first place.
    ((decades * PER_DECADE as f64).ceil().max(0.0) as usize).min(BOUNDS - 1)
}

fn bound(bucket: usize) -> Duration {
    Duration::from_secs_f64(FIRST_SECONDS * 10_f64.powf(bucket as f64 / PER_DECADE as f64))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Tally;

    #[test]
    fn quantiles_are_right_to_a_bound() {
        let mut tally = Tally::default();
        for ms in 1..=1000 {
            tally.add(Duration::from_millis(ms), ms % 100 == 0);
        }
        assert_eq!((tally.requests(), tally.failed()), (1000, 10));
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = tally.quantile(share).as_secs_f64() * 1000.0;
            assert!((ms..ms * 1.08).contains(&found), "{found} for {ms}");
        }
        assert!(tally.above(tally.bucket_at(0.99)) <= 10);
    }

    #[test]
    fn extremes_have_a_place() {
        let mut tally = Tally::default();
        tally.add(Duration::ZERO, false);
        tally.add(Duration::from_secs(1 << 40), true);
        assert_eq!(tally.requests(), 2);
        assert!(tally.quantile(0.5) <= Duration::from_micros(10));
        assert!(tally.quantile(1.0) >= Duration::from_secs(999));
        assert!(Tally::default().failure_rate() < f64::EPSILON);
    }
}
