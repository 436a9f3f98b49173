//! The fair guest run queue: threads of its own for guests that run past their first tick, so that accepting, I/O and
//! health never wait for them. The next to run is the one whose bulkhead has used least for its weight.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_task::{FallibleTask, Runnable};
use hull_admission::{FairQueue, Floor, Share, nanos};
use hull_threads::{BEFORE_REST, rest};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::runtime::Handle;

use crate::account::{Account, CpuBounds};
use crate::recent::{Busy, Recent};
use crate::standby::Standby;
use crate::turn::Lender;

/// What guest threads give way by where there is no idle class, and the one that relieves them everywhere.
const NICENESS: i32 = 10;
/// What is in the idle class can be starved by other programs. If no guest's turn has begun for so long, another thread
/// takes it, which cannot.
const RELIEVED_AFTER: Duration = Duration::from_millis(20);

/// How the queue is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunOrder {
    /// By shares; guests that are not quick leave the serving threads.
    #[default]
    Fair,
    /// Guests stay on the threads that serve connections, whatever they use: what other hosts do. Only for measuring
    /// what fairness gives.
    Unfair,
}

/// The threads, and those who wait for them. Dropping it ends every guest that is in it.
pub struct RunQueue {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

pub(crate) struct Shared {
    pub(crate) order: RunOrder,
    began: Instant,
    state: Mutex<State>,
    work: Condvar,
    /// Wakes the thread that relieves the others, if it has gone to rest.
    relief: Condvar,
    /// Where guest threads stand back: they are not to be woken for a turn.
    standing_back: Condvar,
    /// Guests that could run now; a copy, to be read without the lock.
    waiting: AtomicUsize,
    /// The queue's floor; likewise.
    floor: AtomicU64,
    pub(crate) recent: Recent,
}

#[derive(Default)]
struct State {
    queue: FairQueue<Job>,
    is_stopping: bool,
    /// How many turns the guest threads have begun.
    begun: u64,
    relief_rests: bool,
    /// Until when a guest thread stands back.
    stands_back_until: Option<Instant>,
}

pub(crate) struct Job {
    pub(crate) account: Arc<Account>,
    pub(crate) work: Work,
}

pub(crate) enum Work {
    /// A slice of a guest, on the queue's thread.
    Guest(Runnable),
    /// A slice of somebody on a thread of its own.
    Lend(Lender),
}

/// A guest in the run queue. Dropping it ends the guest: at once if it waits, after its slice if it runs. It gives
/// nothing if the queue was dropped first.
#[must_use = "dropping it ends the guest"]
pub struct Running<T>(FallibleTask<T>);

impl RunQueue {
    /// Start the threads. Guests that use timers or tasks find the runtime of `handle` there. Fails where the machine
    /// gives no more threads.
    pub fn start(threads: usize, order: RunOrder, handle: &Handle) -> std::io::Result<Self> {
        let mut queue = Self::without_relief(threads, order, handle)?;
        queue.spawn("hull-relief".to_owned(), handle, |shared, runtime| shared.relieve(runtime))?;
        Ok(queue)
    }

    /// Guests that no thread comes to stay where they are.
    pub(crate) fn without_relief(threads: usize, order: RunOrder, handle: &Handle) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            order,
            began: hull_clock::now(),
            state: Mutex::default(),
            work: Condvar::new(),
            relief: Condvar::new(),
            standing_back: Condvar::new(),
            waiting: AtomicUsize::new(0),
            floor: AtomicU64::new(0),
            recent: Recent::new(handle.metrics().num_workers(), busy_of(handle)),
        });
        let mut queue = Self { shared, threads: Vec::with_capacity(threads) };
        for number in 0..threads.max(1) {
            queue.spawn(format!("hull-guest-{number}"), handle, |shared, runtime| shared.serve(runtime))?;
        }
        Ok(queue)
    }

    fn spawn(&mut self, name: String, runtime: &Handle, run: fn(&Shared, &Handle)) -> std::io::Result<()> {
        let (shared, runtime) = (Arc::clone(&self.shared), runtime.clone());
        self.threads.push(hull_threads::spawn(name, move || run(&shared, &runtime))?);
        Ok(())
    }

    /// An account of a component, whose bulkhead has `share`.
    pub fn account(&self, share: &Arc<Share>, bounds: CpuBounds) -> Arc<Account> {
        Account::new(&self.shared, share, bounds, None)
    }

    /// An account of the version of a component that comes after another: what that one has used counts for both, and so
    /// do their bounds.
    pub fn account_after(&self, before: &Account, share: &Arc<Share>, bounds: CpuBounds) -> Arc<Account> {
        Account::new(&self.shared, share, bounds, Some(before))
    }
}

impl Drop for RunQueue {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.is_stopping = true;
        let left = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.work.notify_all();
        self.shared.relief.notify_all();
        self.shared.standing_back.notify_all();
        // Ending a guest may wake others, which takes the lock.
        drop(left);
        let this_thread = std::thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != this_thread) {
            // A guest's panic is its waiter's; the threads have none of their own.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// What a guest thread does.
    fn serve(&self, runtime: &Handle) {
        hull_threads::lower(NICENESS);
        hull_threads::join_idle_class();
        let _runtime = runtime.enter();
        let mut standby = Standby::default();
        while let Some(job) = self.next(&standby) {
            let began = hull_clock::now();
            let used = run(job);
            let now = hull_clock::now();
            standby.on_slice(now, now.saturating_duration_since(began).saturating_sub(used));
        }
    }

    /// What the thread does that relieves them.
    fn relieve(&self, runtime: &Handle) {
        hull_threads::lower(NICENESS);
        let _runtime = runtime.enter();
        let mut seen = None;
        while let Some(job) = self.next_neglected(&mut seen) {
            run(job);
        }
    }

    /// The next guest's turn; nothing when the queue is dropped.
    fn next(&self, standby: &Standby) -> Option<Job> {
        let mut state = self.state.lock();
        let mut has_rested = false;
        while !state.is_stopping {
            if let Some(until) = standby.until(hull_clock::now()) {
                state.stands_back_until = state.stands_back_until.max(Some(until));
                self.standing_back.wait_until(&mut state, until);
                continue;
            }
            if let Some(job) = self.take(&mut state) {
                state.begun = state.begun.wrapping_add(1);
                return Some(job);
            }
            let rests = match state.queue.next_release() {
                Some(until) => {
                    self.work.wait_until(&mut state, until);
                    false
                }
                None if has_rested => {
                    self.work.wait(&mut state);
                    false
                }
                None => self.work.wait_for(&mut state, BEFORE_REST).timed_out(),
            };
            if rests {
                // There may be work again afterwards.
                has_rested = MutexGuard::unlocked(&mut state, rest);
            }
        }
        None
    }

    /// The next turn, if a guest thread stands back or none has begun one since this was `seen`, or for [`RELIEVED_AFTER`];
    /// nothing when the queue is dropped.
    fn next_neglected(&self, seen: &mut Option<u64>) -> Option<Job> {
        let mut state = self.state.lock();
        while !state.is_stopping {
            let now = hull_clock::now();
            let stand_back = state.stands_back_until.is_some_and(|until| now < until);
            if (stand_back || *seen == Some(state.begun))
                && let Some(job) = self.take(&mut state)
            {
                return Some(job);
            }
            if state.queue.length() > 0 {
                *seen = Some(state.begun);
                self.relief.wait_for(&mut state, RELIEVED_AFTER);
            } else if let Some(release) = state.queue.next_release() {
                *seen = None;
                self.relief.wait_until(&mut state, release.max(now + RELIEVED_AFTER));
            } else {
                *seen = None;
                state.relief_rests = true;
                self.relief.wait(&mut state);
            }
        }
        None
    }

    /// The one whose turn it is, if there is one that is not at its cap.
    fn take(&self, state: &mut State) -> Option<Job> {
        loop {
            let now = hull_clock::now();
            let job = state.queue.pop(now);
            self.publish(&state.queue);
            let job = job?;
            match job.account.held_until(now) {
                Some(until) => state.queue.push_held(until, &Arc::clone(job.account.share()), job),
                None => return Some(job),
            }
        }
    }

    pub(crate) fn push(&self, job: Job) {
        let mut state = self.state.lock();
        if state.is_stopping {
            drop(state);
            return drop(job);
        }
        state.queue.push(&Arc::clone(job.account.share()), job);
        self.publish(&state.queue);
        let wakes_relief = std::mem::take(&mut state.relief_rests);
        drop(state);
        self.work.notify_one();
        if wakes_relief {
            self.relief.notify_one();
        }
    }

    fn publish(&self, queue: &FairQueue<Job>) {
        self.waiting.store(queue.length(), Ordering::Relaxed);
        self.floor.store(queue.floor().to_nanos(), Ordering::Relaxed);
    }

    /// Whether others wait that have used less.
    pub(crate) fn keeps_waiting(&self, share: &Share) -> bool {
        let floor = || Floor::from_nanos(self.floor.load(Ordering::Relaxed));
        self.waiting.load(Ordering::Relaxed) > 0 && share.is_over(floor())
    }

    pub(crate) fn nanos(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.began))
    }
}

/// A turn; the CPU time that this thread used for it.
fn run(Job { account, work }: Job) -> Duration {
    match work {
        Work::Guest(runnable) => {
            let before = hull_clock::thread_cpu();
            runnable.run();
            let used = hull_clock::thread_cpu().saturating_sub(before);
            account.on_slice(used);
            used
        }
        // Who has the turn charges it.
        Work::Lend(lender) => {
            lender.lend();
            Duration::ZERO
        }
    }
}

/// How busy the threads are that serve connections.
fn busy_of(handle: &Handle) -> Busy {
    let metrics = handle.metrics();
    Box::new(move || (0..metrics.num_workers()).map(|worker| metrics.worker_total_busy_duration(worker)).sum())
}

impl<T> Running<T> {
    pub(crate) fn new(task: FallibleTask<T>) -> Self {
        Self(task)
    }

    /// Let it run on with nobody waiting for it.
    pub fn detach(self) {
        self.0.detach();
    }
}

impl<T> Future for Running<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

#[cfg(test)]
#[path = "run_queue_tests.rs"]
mod tests;
