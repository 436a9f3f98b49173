//! A set of sequences as a floor and the ranges above it: small as long as the gaps are few, and a consumer bounds
//! its gaps by what it has in flight.

use std::collections::BTreeMap;

/// Everything up to `floor`, and the ranges above it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ranges {
    floor: u64,
    /// First to last, both inside; never touching each other or the floor.
    above: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Everything up to and including `floor`.
    pub(super) fn up_to(floor: u64) -> Self {
        Self { floor, above: BTreeMap::new() }
    }

    /// The last sequence below which nothing is missing.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// The last sequence in the set.
    pub(super) fn last(&self) -> u64 {
        self.above.last_key_value().map_or(self.floor, |(_, last)| *last)
    }

    /// The ranges above the floor, first to last.
    pub(super) fn above(&self) -> impl Iterator<Item = (u64, u64)> {
        self.above.iter().map(|(first, last)| (*first, *last))
    }

    /// Whether it is in the set.
    pub(super) fn contains(&self, sequence: u64) -> bool {
        sequence <= self.floor || self.above.range(..=sequence).next_back().is_some_and(|(_, last)| sequence <= *last)
    }

    /// Add everything from `first` to `last`.
    pub(super) fn insert(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last);
        while let Some((&start, &end)) = self.above.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            first = first.min(start);
            last = last.max(end);
            self.above.remove(&start);
        }
        if first <= self.floor.saturating_add(1) {
            self.floor = self.floor.max(last);
        } else {
            self.above.insert(first, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Ranges;

    #[test]
    fn ranges_are_the_set_they_stand_for() {
        let seed = hull_clock::random_u64();
        println!("seed {seed}");
        let mut state = seed | 1;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..200 {
            let floor = random(5);
            let (mut ranges, mut model) = (Ranges::up_to(floor), (0..=floor).collect::<BTreeSet<u64>>());
            for _ in 0..40 {
                let first = 1 + random(60);
                let last = first + random(4);
                ranges.insert(first, last);
                model.extend(first..=last);
                for sequence in 0..70 {
                    assert_eq!(ranges.contains(sequence), model.contains(&sequence), "{sequence} in {ranges:?}");
                }
                let gap = (0..100).find(|sequence| !model.contains(sequence)).expect("a gap");
                assert_eq!(ranges.floor(), gap - 1);
                assert_eq!(Some(&ranges.last()), model.last());
                let mut end = ranges.floor();
                for (first, last) in ranges.above() {
                    assert!(first > end + 1 && last >= first, "{ranges:?}");
                    end = last;
                }
            }
        }
    }
}
