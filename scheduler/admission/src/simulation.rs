//! Random walks for the tests of this crate: many short ones, each from a seed of its own that also chooses the bounds,
//! so that the seed of one that fails is printed and is all that is needed to see it again.

use std::time::Instant;

/// How long one walk is. Short ones see more bounds and begin at empty more often; that is where mistakes are.
const WALK_STEPS: u32 = 10_000;

/// Any time will do to start from.
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// So many steps in all. `begin` chooses the bounds of a walk and what is empty at first, `step` takes one step.
pub(crate) fn walk<W>(steps: u32, mut begin: impl FnMut(&mut Random) -> W, mut step: impl FnMut(&mut W, &mut Random)) {
    for seed in 1..=u64::from(steps / WALK_STEPS) {
        let mut random = Random::new(seed);
        let mut walking = begin(&mut random);
        for _ in 0..WALK_STEPS {
            random.step += 1;
            step(&mut walking, &mut random);
        }
    }
}

/// The same numbers for the same seed. When the test fails while it is alive, it says where.
pub(crate) struct Random {
    seed: u64,
    state: u64,
    step: u32,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds would begin with similar numbers.
        Self { seed, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, step: 0 }
    }

    /// One below that bound, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        // The high bits: the low ones of such a generator follow each other too closely.
        (self.state >> 20) % bound
    }

    /// One of those, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the walk with seed {} failed at its step {}", self.seed, self.step);
        }
    }
}
