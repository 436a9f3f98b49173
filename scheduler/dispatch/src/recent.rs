//! Who has run lately. Guests that end at once wait in no queue, and a crowd of them could take the serving threads for
//! itself: while those are busy, whoever has used more than others that are active goes to the run queue, quick or not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hull_admission::{Floor, Share, nanos};
use parking_lot::Mutex;

/// How often it is looked at.
const WINDOW: Duration = Duration::from_millis(5);
/// Who has run within this time is active.
const ACTIVE_FOR: Duration = Duration::from_millis(20);
/// It matters from so much of the serving threads' time on, whatever they do with it. What the run queue uses counts as
/// if they did: they would, if it were not for the queue.
const BUSY_PERCENT: f64 = 50.0;
/// How much of what was found before still counts when it is looked at again.
const REMEMBERED: f64 = 0.75;
/// How far an active share can fall behind the one that has used most: more is not saved up.
const CREDIT_MAX: Duration = Duration::from_millis(50);

/// No share is over this.
const NOBODY: u64 = u64::MAX;

/// For how long the serving threads have been busy since they began: all of them together.
pub(crate) type Busy = Box<dyn Fn() -> Duration + Send + Sync>;

pub(crate) struct Recent {
    threads: f64,
    busy: Busy,
    /// By the run queue since it began, in nanoseconds.
    queued: AtomicU64,
    window_began: AtomicU64,
    /// Where a share starts that was not active: nobody who was has to wait for it to catch up.
    start: AtomicU64,
    /// How far an active share can fall behind.
    lift: AtomicU64,
    /// What an active share has used that has used little, while it matters.
    least: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shares: Vec<(Weak<Share>, Arc<AtomicU64>)>,
    /// At the last look.
    busy: Duration,
    /// Of the last looks, the latest counting most.
    busy_percent: f64,
}

/// Where a slice ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where its request is: on a serving thread.
    Here,
    /// On a thread of the run queue.
    Queue,
}

/// A slice that is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    pub(crate) cpu: Duration,
    /// What of it is not covered by a reserve.
    pub(crate) charged: Duration,
    pub(crate) place: Place,
}

/// When a share has run; kept beside it.
#[derive(Debug, Clone)]
pub(crate) struct Seen(Arc<AtomicU64>);

/// Who has run since then is active.
fn since(now: u64) -> u64 {
    now.saturating_sub(nanos(ACTIVE_FOR))
}

impl Recent {
    pub(crate) fn new(threads: usize, busy: Busy) -> Self {
        Self {
            threads: threads.max(1) as f64,
            busy,
            queued: AtomicU64::new(0),
            window_began: AtomicU64::new(0),
            start: AtomicU64::new(0),
            lift: AtomicU64::new(0),
            least: AtomicU64::new(NOBODY),
            state: Mutex::default(),
        }
    }

    /// How many threads serve.
    pub(crate) fn threads(&self) -> usize {
        self.threads as usize
    }

    /// Another account of a share.
    pub(crate) fn join(&self, share: &Arc<Share>) -> Seen {
        let shares = &mut self.state.lock().shares;
        shares.retain(|(known, _)| known.strong_count() > 0);
        let known = shares.iter().find(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(share)));
        if let Some((_, seen)) = known {
            return Seen(Arc::clone(seen));
        }
        let seen = Arc::new(AtomicU64::new(0));
        shares.push((Arc::downgrade(share), Arc::clone(&seen)));
        Seen(seen)
    }

    /// A slice is over, now, in nanoseconds since the queue began.
    pub(crate) fn on_slice(&self, now: u64, share: &Share, seen: &Seen, slice: Slice) {
        if slice.place == Place::Queue {
            self.queued.fetch_add(nanos(slice.cpu), Ordering::Relaxed);
        }
        let was_active = seen.0.swap(now, Ordering::Relaxed) >= since(now);
        let floor = if was_active { &self.lift } else { &self.start };
        share.charge(Floor::from_nanos(floor.load(Ordering::Relaxed)), slice.charged);
        let began = self.window_began.load(Ordering::Relaxed);
        let passed = now.saturating_sub(began);
        if passed >= nanos(WINDOW)
            && self.window_began.compare_exchange(began, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.look(now, passed);
        }
    }

    /// Whether others that are active have used less, and it matters.
    pub(crate) fn is_over(&self, share: &Share) -> bool {
        share.is_over(Floor::from_nanos(self.least.load(Ordering::Relaxed)))
    }

    fn look(&self, now: u64, passed: u64) {
        // Held by a thread that gives way to others, it could keep this one for long; and then somebody is looking.
        let Some(mut state) = self.state.try_lock() else { return };
        let busy = (self.busy)() + Duration::from_nanos(self.queued.load(Ordering::Relaxed));
        let percent = nanos(busy.saturating_sub(state.busy)) as f64 * 100.0 / (passed as f64 * self.threads);
        state.busy = busy;
        // Threads tell what they did when they rest, or after some dozens of tasks: one look sees too little of it, the
        // next one too much.
        state.busy_percent = state.busy_percent * REMEMBERED + percent * (1.0 - REMEMBERED);
        let is_busy = state.busy_percent > BUSY_PERCENT;
        let since = since(now);
        let active = state.shares.iter().filter(|(_, seen)| seen.load(Ordering::Relaxed) >= since);
        let used: Vec<u64> =
            active.filter_map(|(share, _)| share.upgrade()).map(|share| share.used().to_nanos()).collect();
        drop(state);
        let most = used.iter().copied().max().unwrap_or(0);
        let lift = most.saturating_sub(nanos(CREDIT_MAX));
        self.lift.fetch_max(lift, Ordering::Relaxed);
        self.start.fetch_max(most, Ordering::Relaxed);
        let least = match used.iter().copied().min() {
            Some(least) if is_busy && used.len() > 1 => least.max(lift),
            _ => NOBODY,
        };
        self.least.store(least, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "recent_tests.rs"]
mod tests;
