//! Work for a component on threads that are not the run queue's: statements of the embedded database cannot be moved to
//! another thread half-way, so they stay where they are and wait for their turn there. A thread of the queue lends the
//! turn that it would have given to a guest, and rests meanwhile.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::account::Account;
use crate::run_queue::{Job, RunOrder, Work};

/// How much CPU time a turn has.
const SLICE: Duration = Duration::from_millis(1);
/// How long a thread of the queue rests for a turn: whoever has it may be waiting for the disk.
const LENT_FOR: Duration = Duration::from_millis(2);
/// How long to wait before whoever works is asked again whether it is to go on at all.
const PATIENCE: Duration = Duration::from_millis(20);

/// One thread's work for one component. It begins with a slice of its own if the component has the privilege; after
/// that each slice is a turn. Dropping it ends the work.
pub struct Stint {
    account: Arc<Account>,
    /// The thread's CPU time up to which the account was charged.
    charged: Duration,
    /// What is left of the slice.
    left: Duration,
    turn: Option<Arc<Turn>>,
}

/// A place in the queue.
struct Turn {
    state: Mutex<TurnState>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnState {
    Waiting,
    Granted,
    Over,
}

/// The queue's end of a turn. Dropping it lets the work go on: a queue that stops keeps nobody waiting.
pub(crate) struct Lender(Arc<Turn>);

impl Stint {
    pub(crate) fn new(account: &Arc<Account>) -> Self {
        let left = if account.may_run_in_place(hull_clock::now()) { SLICE } else { Duration::ZERO };
        Self { account: Arc::clone(account), charged: hull_clock::thread_cpu(), left, turn: None }
    }

    /// To be called often, and only on the thread that works: charges what was used, and when the slice is over waits
    /// for the next one. The wait ends after some milliseconds without a turn too, so that the caller can look whether
    /// the work is still wanted; the next call goes on waiting.
    pub fn step(&mut self) {
        let now = hull_clock::thread_cpu();
        let used = now.saturating_sub(self.charged);
        if used < self.left {
            return;
        }
        self.charged = now;
        self.account.on_slice(used);
        self.left = Duration::ZERO;
        if self.account.order() == RunOrder::Unfair || self.wait_for_turn() {
            self.left = SLICE;
        }
    }

    /// Whether it has the next slice.
    fn wait_for_turn(&mut self) -> bool {
        let waiting = self.turn.take_if(|turn| *turn.state.lock() == TurnState::Waiting);
        self.end_turn();
        let turn = waiting.unwrap_or_else(|| {
            let turn = Arc::new(Turn { state: Mutex::new(TurnState::Waiting), changed: Condvar::new() });
            let job = Job { account: Arc::clone(&self.account), work: Work::Lend(Lender(Arc::clone(&turn))) };
            self.account.push(job);
            turn
        });
        let granted = turn.wait();
        self.turn = Some(turn);
        granted
    }

    fn end_turn(&mut self) {
        if let Some(turn) = self.turn.take() {
            turn.set(TurnState::Over);
        }
    }
}

impl Drop for Stint {
    fn drop(&mut self) {
        self.account.on_slice(hull_clock::thread_cpu().saturating_sub(self.charged));
        self.end_turn();
    }
}

impl Turn {
    fn set(&self, state: TurnState) {
        *self.state.lock() = state;
        self.changed.notify_all();
    }

    /// Wait to be granted; `false` if that took too long.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| *state == TurnState::Waiting, PATIENCE);
        *state == TurnState::Granted
    }
}

impl Lender {
    /// Let it have its slice, and rest until that is over.
    pub(crate) fn lend(self) {
        let mut state = self.0.state.lock();
        if *state == TurnState::Waiting {
            *state = TurnState::Granted;
            self.0.changed.notify_all();
            self.0.changed.wait_while_for(&mut state, |state| *state == TurnState::Granted, LENT_FOR);
        }
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if *state == TurnState::Waiting {
            *state = TurnState::Granted;
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::Duration;

    use hull_admission::Share;

    use super::{SLICE, Stint};
    use crate::account::{Account, CpuBounds};
    use crate::run_queue::{RunOrder, RunQueue};

    fn burn(cpu: Duration) {
        let until = hull_clock::thread_cpu() + cpu;
        while hull_clock::thread_cpu() < until {
            std::hint::spin_loop();
        }
    }

    fn queue(order: RunOrder) -> (tokio::runtime::Runtime, RunQueue) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let queue = RunQueue::without_relief(1, order, runtime.handle()).expect("a thread");
        (runtime, queue)
    }

    /// A guest that keeps the queue's only thread until it is told to end.
    fn occupied(queue: &RunQueue) -> (mpsc::Sender<()>, Arc<Account>) {
        let account = queue.account(&Share::new(100), CpuBounds::default());
        let (end, ended) = mpsc::channel();
        let (began, starts) = mpsc::channel();
        let guest = account.run(async move {
            began.send(()).expect("the test waits");
            ended.recv().ok()
        });
        guest.detach();
        starts.recv().expect("the guest begins");
        (end, account)
    }

    #[test]
    fn the_first_slice_is_free_and_the_next_waits_for_its_turn() {
        let (_runtime, queue) = queue(RunOrder::Fair);
        let (end, _busy) = occupied(&queue);
        let account = queue.account(&Share::new(100), CpuBounds::default());
        let mut stint = account.stint();
        burn(Duration::from_micros(100));
        stint.step();
        assert!(!stint.left.is_zero(), "it is within its slice");
        burn(Duration::from_millis(2));
        stint.step();
        assert!(stint.left.is_zero(), "somebody else has the thread");
        let waits = Arc::clone(stint.turn.as_ref().expect("it waits"));
        stint.step();
        assert!(Arc::ptr_eq(&waits, stint.turn.as_ref().expect("it waits")), "it keeps its place");
        end.send(()).expect("the guest waits");
        while stint.left.is_zero() {
            stint.step();
        }
        assert!(account.used() >= Duration::from_millis(2));
        // For a while, which a busy machine may take to look.
        let is_known = || {
            account.on_slice(SLICE * 2);
            account.stint().left.is_zero()
        };
        assert!((0..100).any(|_| is_known()), "it is known not to be quick");
        let mut second: Stint = account.stint();
        drop(stint);
        while second.left.is_zero() {
            second.step();
        }
    }

    #[test]
    fn without_the_privilege_the_first_slice_is_a_turn_too() {
        let (_runtime, queue) = queue(RunOrder::Fair);
        let account = queue.account(&Share::new(100), CpuBounds { rate: Some(1), reserve: 0 });
        assert!(!account.stint().left.is_zero());
        account.charge_in_place(hull_clock::now(), Duration::from_mins(1));
        assert!(account.stint().left.is_zero(), "it is far over its cap");
    }

    #[test]
    fn a_turn_that_nobody_wants_any_more_holds_nobody() {
        let (runtime, queue) = queue(RunOrder::Fair);
        let (end, busy) = occupied(&queue);
        let account = queue.account(&Share::new(100), CpuBounds::default());
        let mut stint = account.stint();
        burn(Duration::from_millis(2));
        stint.step();
        drop(stint);
        end.send(()).expect("the guest waits");
        assert_eq!(runtime.block_on(busy.run(async { 7 })), Some(7));
    }

    #[test]
    fn a_queue_that_stops_lets_go() {
        let (_runtime, queue) = queue(RunOrder::Fair);
        let (end, _busy) = occupied(&queue);
        let account = queue.account(&Share::new(100), CpuBounds::default());
        let mut stint = account.stint();
        burn(Duration::from_millis(2));
        stint.step();
        assert!(stint.left.is_zero());
        end.send(()).expect("the guest waits");
        drop(queue);
        while stint.left.is_zero() {
            stint.step();
        }
        burn(Duration::from_millis(2));
        stint.step();
        assert!(!stint.left.is_zero(), "after the queue's end nobody waits");
    }

    #[test]
    fn without_fairness_nobody_waits() {
        let (_runtime, queue) = queue(RunOrder::Unfair);
        let (_end, _busy) = occupied(&queue);
        let account = queue.account(&Share::new(100), CpuBounds::default());
        let mut stint = account.stint();
        burn(Duration::from_millis(2));
        stint.step();
        assert!(!stint.left.is_zero() && stint.turn.is_none());
        assert!(account.used() >= Duration::from_millis(2), "it is charged all the same");
    }
}
