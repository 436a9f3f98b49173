//! How deliveries ended, for `hull status`. The bus's own figures (backlog, redelivered, lag) come from the bus.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has been counted since the component was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Handlers that accepted, answered requests among them.
    pub handled: u64,
    /// Deliveries of events that were handled before; their handler did not run again.
    pub already_handled: u64,
    /// Attempts that failed and will be made again.
    pub retried: u64,
    /// Deliveries that went back without counting as an attempt: shed, in conflict, or with the storage away.
    pub returned: u64,
    /// Events that went to the dead letters.
    pub dead: u64,
    /// Events that the relay has taken to the bus.
    pub published: u64,
    /// Events that the relay may not or cannot take to the bus.
    pub refused: u64,
}

/// The same, while it is counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) handled: AtomicU64,
    pub(crate) already_handled: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) dead: AtomicU64,
    pub(crate) published: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            handled: read(&self.handled),
            already_handled: read(&self.already_handled),
            retried: read(&self.retried),
            returned: read(&self.returned),
            dead: read(&self.dead),
            published: read(&self.published),
            refused: read(&self.refused),
        }
    }
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
