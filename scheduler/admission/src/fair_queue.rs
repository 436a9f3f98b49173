//! Whose guest runs next: shares of the CPU, and the queue in which the one that has used least for its weight goes
//! first (start-time fair queueing). It conserves work: a share that nobody uses is everybody's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::nanos::nanos;

/// The weight of a share that has none of its own.
const WEIGHT_DEFAULT: u64 = 100;
/// How far a share may be ahead of the one that has used least before it counts as over its share.
const LEAD_MAX: Duration = Duration::from_millis(5);

/// What one bulkhead has used of the CPU, for its weight. Counted by many threads at once, so it is atomic.
#[derive(Debug)]
pub struct Share {
    weight: AtomicU64,
    /// CPU time in nanoseconds, as it would be at the default weight.
    used: AtomicU64,
}

impl Share {
    /// One of this weight; zero counts as one.
    pub fn new(weight: u32) -> Arc<Self> {
        Arc::new(Self { weight: AtomicU64::new(u64::from(weight.max(1))), used: AtomicU64::new(0) })
    }

    /// Another weight, for what it uses from now on; zero counts as one.
    pub fn set_weight(&self, weight: u32) {
        self.weight.store(u64::from(weight.max(1)), Ordering::Relaxed);
    }

    /// It has run for so long. `floor` is what the share that is served has used: who has not run for a while starts
    /// there, because time that was not used is not saved up.
    pub fn charge(&self, floor: Floor, cpu: Duration) {
        let weighted = nanos(cpu).saturating_mul(WEIGHT_DEFAULT) / self.weight.load(Ordering::Relaxed);
        let add = |used: u64| Some(used.max(floor.0).saturating_add(weighted));
        // The closure always gives a value, so there is no failure to look at.
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether it is well ahead of the one that is served.
    pub fn is_over(&self, floor: Floor) -> bool {
        self.used.load(Ordering::Relaxed) > floor.0.saturating_add(LEAD_MAX.as_nanos() as u64)
    }

    /// What it has used so far, at the default weight.
    pub fn used(&self) -> Floor {
        Floor(self.used.load(Ordering::Relaxed))
    }
}

/// How much the share that was served last had used: the queue's virtual time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Floor(u64);

impl Floor {
    /// As a number, to keep it in an atomic.
    pub fn to_nanos(self) -> u64 {
        self.0
    }

    /// From [`Floor::to_nanos`].
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }
}

/// Items that wait for their turn, in a line for each share that has any.
#[derive(Debug)]
pub struct FairQueue<T> {
    lines: Vec<Line<T>>,
    /// Those that may not run before a moment, in the order of it and of their coming.
    held: BTreeMap<(Instant, u64), (Arc<Share>, T)>,
    held_count: u64,
    floor: Floor,
    length: usize,
}

#[derive(Debug)]
struct Line<T> {
    share: Arc<Share>,
    items: VecDeque<T>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { lines: Vec::new(), held: BTreeMap::new(), held_count: 0, floor: Floor::default(), length: 0 }
    }
}

impl<T> FairQueue<T> {
    /// Put it at the end of its share's line.
    pub fn push(&mut self, share: &Arc<Share>, item: T) {
        self.length += 1;
        if let Some(line) = self.lines.iter_mut().find(|line| Arc::ptr_eq(&line.share, share)) {
            return line.items.push_back(item);
        }
        share.charge(self.floor, Duration::ZERO);
        self.lines.push(Line { share: Arc::clone(share), items: VecDeque::from([item]) });
    }

    /// The same, but not before `until`.
    pub fn push_held(&mut self, until: Instant, share: &Arc<Share>, item: T) {
        self.held_count += 1;
        self.held.insert((until, self.held_count), (Arc::clone(share), item));
    }

    /// The first in the line of the share that has used least for its weight.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        while let Some(entry) = self.held.first_entry()
            && entry.key().0 <= now
        {
            let (share, item) = entry.remove();
            self.push(&share, item);
        }
        let (index, line) = self.lines.iter_mut().enumerate().min_by_key(|(_, line)| line.share.used())?;
        self.floor = self.floor.max(line.share.used());
        let item = line.items.pop_front()?;
        if line.items.is_empty() {
            // The line that takes its place keeps its own order.
            self.lines.swap_remove(index);
        }
        self.length -= 1;
        Some(item)
    }

    /// Where a share starts that has not run for a while.
    pub fn floor(&self) -> Floor {
        self.floor
    }

    /// How many could run now; those that are held are not among them.
    pub fn length(&self) -> usize {
        self.length
    }

    /// When the next of those that are held may run.
    pub fn next_release(&self) -> Option<Instant> {
        self.held.keys().next().map(|(until, _)| *until)
    }
}

#[cfg(test)]
#[path = "fair_queue_tests.rs"]
mod tests;
