//! Bulkheads: what the members of a compartment may use together.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::read::settings;

/// The most instances, invocations or places in a queue that may be asked for.
pub(crate) const COUNT_MAX: NonZeroU32 = at_least_one(1 << 20);

/// A count as a constant; zero counts as one.
pub(crate) const fn at_least_one(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

settings! {
    /// What the members of a bulkhead may use together.
    pub struct Bulkhead {
        /// Its share of the CPU, relative to the weights of the others.
        "cpu-weight" cpu_weight: NonZeroU32 = at_least_one(100), within ..=at_least_one(10_000);
        /// Live instances.
        "instances" instances: NonZeroU32 = at_least_one(64), within ..=COUNT_MAX;
        /// Invocations at once.
        "concurrency" concurrency: NonZeroU32 = at_least_one(64), within ..=COUNT_MAX;
        /// Who waits when all places are taken.
        "queue" queue: Queue = Queue::default();
    }
}

settings! {
    /// A bounded queue; what does not fit or waits too long is shed.
    pub struct Queue {
        /// Places; none means that nobody waits.
        "length" length: u32 = 256, within ..=COUNT_MAX.get();
        /// The longest wait.
        "wait" wait: Duration = Duration::from_millis(250);
    }
}
