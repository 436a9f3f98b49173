//! Who is still at work, and the word to stop: first to finish what runs, then, when the time is up, at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Waker};

use parking_lot::Mutex;
use tokio::sync::Notify;

const SERVING: u8 = 0;
const DRAINING: u8 = 1;
const KILLED: u8 = 2;

/// All tasks of a gateway.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    stage: AtomicU8,
    numbers: AtomicU64,
    members: Mutex<HashMap<u64, Option<Waker>>>,
    left: Notify,
}

/// One task's membership; ends when dropped.
#[derive(Debug)]
pub(crate) struct Member {
    drain: Arc<Drain>,
    number: u64,
    registered: Option<Waker>,
}

impl Drain {
    pub(crate) fn join(drain: &Arc<Self>) -> Member {
        let number = drain.numbers.fetch_add(1, Ordering::Relaxed);
        drain.members.lock().insert(number, None);
        Member { drain: Arc::clone(drain), number, registered: None }
    }

    /// Tell everybody to finish.
    pub(crate) fn start(&self) {
        self.announce(DRAINING);
    }

    /// Tell everybody to stop. Returns how many there are.
    pub(crate) fn kill(&self) -> usize {
        self.announce(KILLED)
    }

    fn announce(&self, stage: u8) -> usize {
        self.stage.store(stage, Ordering::Release);
        let members = self.members.lock();
        members.values().flatten().for_each(Waker::wake_by_ref);
        members.len()
    }

    /// Completes when nobody is left.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.members.lock().is_empty() {
                return;
            }
            left.await;
        }
    }
}

impl Member {
    /// Have this task woken at announcements. Cheap unless the task's waker has changed.
    pub(crate) fn register(&mut self, cx: &Context<'_>) {
        if self.registered.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            return;
        }
        let waker = cx.waker().clone();
        self.drain.members.lock().insert(self.number, Some(waker.clone()));
        self.registered = Some(waker);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain.stage.load(Ordering::Acquire) != SERVING
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.drain.stage.load(Ordering::Acquire) == KILLED
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut members = self.drain.members.lock();
        members.remove(&self.number);
        if members.is_empty() {
            drop(members);
            // Leaves a permit if nobody waits yet.
            self.drain.left.notify_one();
        }
    }
}
