//! Counts latencies in buckets that grow with the value, so that millions of them cost a fixed, small memory and
//! a percentile is right to within 1 %.

use std::time::Duration;

/// Buckets per power of two: the error is at most one part in this.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Powers of two of nanoseconds above the first `STEPS` values; the last one begins at 73 minutes.
const MAGNITUDES: usize = 36;

/// How often each latency was seen.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Nothing seen yet.
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; STEPS as usize * (MAGNITUDES + 1)], total: 0 }
    }

    /// Count one.
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let last = self.counts.len() - 1;
        if let Some(count) = self.counts.get_mut(bucket(nanoseconds).min(last)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// How many were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// How many were at most this, right to within the width of a bucket.
    pub(crate) fn within(&self, bound: Duration) -> u64 {
        let last = bucket(u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX));
        self.counts.iter().take(last.saturating_add(1)).sum()
    }

    /// The least latency that this share of all does not exceed; `share` is from 0 to 1. Zero if nothing was
    /// counted.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let rank = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_end(index));
            }
        }
        Duration::ZERO
    }
}

/// Values below `STEPS` have buckets of their own; above, each power of two has `STEPS` of them.
fn bucket(nanoseconds: u64) -> usize {
    let magnitude = (u64::BITS - nanoseconds.leading_zeros()).saturating_sub(STEP_BITS + 1);
    let within = nanoseconds >> magnitude;
    (u64::from(magnitude) * STEPS + within) as usize
}

fn upper_end(index: usize) -> u64 {
    let index = index as u64;
    let magnitude = (index / STEPS).saturating_sub(1);
    let within = index - magnitude * STEPS;
    ((within + 1) << magnitude) - 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Histogram, bucket, upper_end};

    #[test]
    fn buckets_are_gapless_and_hold_their_values() {
        let mut last = 0;
        for value in (0..100_000_u64).chain((1..30).map(|power| (1_u64 << power) * 1_000_003)) {
            let index = bucket(value);
            assert!(index == last || index == last + 1 || value > 100_000, "{value}");
            assert!(upper_end(index) >= value, "{value}");
            assert!((upper_end(index) - value) as f64 <= value as f64 / 100.0, "{value}");
            last = index;
        }
    }

    #[test]
    fn percentiles_are_within_one_percent() {
        let mut histogram = Histogram::new();
        for microseconds in 1..=10_000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        for (share, expected) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0), (1.0, 10_000.0)] {
            let found = histogram.percentile(share).as_nanos() as f64 / 1_000.0;
            assert!((found - expected).abs() <= expected / 100.0, "{share}: {found}");
        }
        assert_eq!(histogram.total(), 10_000);
        let within = histogram.within(Duration::from_millis(4));
        assert!((3_990..=4_040).contains(&within), "{within}");
        assert_eq!(histogram.within(Duration::MAX), 10_000);
    }

    #[test]
    fn nothing_and_the_impossible_are_survived() {
        assert_eq!(Histogram::new().percentile(0.99), Duration::ZERO);
        let mut histogram = Histogram::new();
        histogram.record(Duration::MAX);
        assert!(histogram.percentile(0.5) > Duration::from_hours(1));
    }
}
