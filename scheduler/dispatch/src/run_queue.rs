//! The fair guest run queue: threads of its own for guests that run past their first tick, so that accepting, I/O and
//! health never wait for them. The next to run is the one whose bulkhead has used least for its weight.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_task::{FallibleTask, Runnable};
use hull_admission::{CpuRate, FairQueue, Floor, Share};
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

use crate::attendance::guest_ran;
use crate::own_time::own_part_of;
use crate::recent::{Busy, Place, Recent, Seen};
use crate::turn::{Lender, Stint};

/// What guest threads give way by: serving threads and other programs come first.
const NICENESS: i32 = 10;
/// A slice of so much CPU time shows that a guest is not quick.
const SLICE_LONG: Duration = Duration::from_micros(500);
/// For how long a component that is not quick begins in the queue; doubled each time, up to [`DOUBLINGS_MAX`] times.
const SLOW_FOR: Duration = Duration::from_millis(100);
const DOUBLINGS_MAX: u32 = 5;
/// After so long without a long slice a component is forgiven all earlier ones.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10);

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

struct Shared {
    order: RunOrder,
    began: Instant,
    state: Mutex<State>,
    work: Condvar,
    /// Guests that could run now; a copy, to be read without the lock.
    waiting: AtomicUsize,
    /// The queue's floor; likewise.
    floor: AtomicU64,
    recent: Recent,
}

#[derive(Default)]
struct State {
    queue: FairQueue<Job>,
    is_stopping: bool,
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

/// What one component uses of the CPU, charged to its bulkhead's share.
pub struct Account {
    queue: Arc<Shared>,
    share: Arc<Share>,
    seen: Seen,
    rate: Option<Mutex<CpuRate>>,
    used_nanos: AtomicU64,
    /// Until then it begins in the queue; in nanoseconds since the queue began, like the next.
    slow_until: AtomicU64,
    long_slice_at: AtomicU64,
    doublings: AtomicU32,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("used", &self.used()).finish_non_exhaustive()
    }
}

/// A guest in the run queue. Dropping it ends the guest: at once if it waits, after its slice if it runs. It gives
/// nothing if the queue was dropped first.
#[must_use = "dropping it ends the guest"]
pub struct Running<T>(FallibleTask<T>);

impl RunQueue {
    /// Start the threads. Guests that use timers or tasks find the runtime of `handle` there. Fails where the machine
    /// gives no more threads.
    pub fn start(threads: usize, order: RunOrder, handle: &Handle) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            order,
            began: hull_clock::now(),
            state: Mutex::default(),
            work: Condvar::new(),
            waiting: AtomicUsize::new(0),
            floor: AtomicU64::new(0),
            recent: Recent::new(handle.metrics().num_workers(), busy_of(handle)),
        });
        let mut queue = Self { shared, threads: Vec::with_capacity(threads) };
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&queue.shared);
            let handle = handle.clone();
            let run = move || shared.run(&handle);
            queue.threads.push(std::thread::Builder::new().name(format!("hull-guest-{number}")).spawn(run)?);
        }
        Ok(queue)
    }

    /// An account of a component, whose bulkhead has `share`. `cpu_rate` is its hard cap, in percent of one core.
    pub fn account(&self, share: &Arc<Share>, cpu_rate: Option<u32>) -> Arc<Account> {
        let rate = cpu_rate.map(|percent| Mutex::new(CpuRate::new(percent, hull_clock::now())));
        Arc::new(Account {
            queue: Arc::clone(&self.shared),
            share: Arc::clone(share),
            seen: self.shared.recent.join(share),
            rate,
            used_nanos: AtomicU64::new(0),
            slow_until: AtomicU64::new(0),
            long_slice_at: AtomicU64::new(0),
            doublings: AtomicU32::new(0),
        })
    }
}

impl Drop for RunQueue {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.is_stopping = true;
        let left = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.work.notify_all();
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
    fn run(&self, handle: &Handle) {
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::warn!(%error, "guest threads run at the same priority as serving threads");
        }
        let _runtime = handle.enter();
        while let Some(Job { account, work }) = self.next() {
            match work {
                Work::Guest(runnable) => {
                    let before = hull_clock::thread_cpu();
                    runnable.run();
                    account.on_slice(hull_clock::thread_cpu().saturating_sub(before));
                }
                // Who has the turn charges it.
                Work::Lend(lender) => lender.lend(),
            }
        }
    }

    /// The next guest's turn; nothing when the queue is dropped.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        while !state.is_stopping {
            let now = hull_clock::now();
            let job = state.queue.pop(now);
            self.publish(&state.queue);
            match job {
                Some(job) => match job.account.held_until(now) {
                    Some(until) => state.queue.push_held(until, &Arc::clone(&job.account.share), job),
                    None => return Some(job),
                },
                None => match state.queue.next_release() {
                    Some(until) => drop(self.work.wait_until(&mut state, until)),
                    None => self.work.wait(&mut state),
                },
            }
        }
        None
    }

    fn push(&self, job: Job) {
        let mut state = self.state.lock();
        if state.is_stopping {
            drop(state);
            return drop(job);
        }
        state.queue.push(&Arc::clone(&job.account.share), job);
        self.publish(&state.queue);
        drop(state);
        self.work.notify_one();
    }

    fn publish(&self, queue: &FairQueue<Job>) {
        self.waiting.store(queue.length(), Ordering::Relaxed);
        self.floor.store(queue.floor().to_nanos(), Ordering::Relaxed);
    }

    fn floor(&self) -> Floor {
        Floor::from_nanos(self.floor.load(Ordering::Relaxed))
    }

    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Account {
    /// Whether an invocation may begin right where its request is. Not if the component is known not to be quick, if it
    /// is at its cap, or if its bulkhead is over its share while others wait. Costs no system call and, without a cap,
    /// no lock.
    pub fn may_run_in_place(&self, now: Instant) -> bool {
        if self.queue.order == RunOrder::Unfair {
            return true;
        }
        let is_slow = self.slow_until.load(Ordering::Relaxed) > self.queue.nanos(now);
        let is_over = || self.queue.waiting.load(Ordering::Relaxed) > 0 && self.share.is_over(self.queue.floor());
        !is_slow && !is_over() && !self.queue.recent.is_over(&self.share) && self.held_until(now).is_none()
    }

    /// Whether a guest that ran past its tick must go on in the queue.
    pub fn must_leave(&self) -> bool {
        self.queue.order == RunOrder::Fair
    }

    /// It ran for so long where its request is, until now, by the clock on the wall.
    pub fn charge_in_place(&self, now: Instant, took: Duration) {
        guest_ran(took);
        self.charge(now, own_part_of(took), Place::Here);
    }

    /// The host did so much for it, until now. Only its share pays: its cap and its count are about what it does itself.
    pub(crate) fn charge_attendance(&self, now: Instant, took: Duration) {
        self.queue.recent.on_slice(self.queue.nanos(now), &self.share, &self.seen, own_part_of(took), Place::Here);
    }

    fn charge(&self, now: Instant, cpu: Duration, place: Place) {
        let nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        self.used_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.queue.recent.on_slice(self.queue.nanos(now), &self.share, &self.seen, cpu, place);
        if let Some(rate) = &self.rate {
            rate.lock().on_used(now, cpu);
        }
    }

    /// Run it in the queue.
    pub fn run<F>(self: &Arc<Self>, future: F) -> Running<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let account = Arc::clone(self);
        let schedule = move |runnable| account.push(Job { account: Arc::clone(&account), work: Work::Guest(runnable) });
        let (runnable, task) = async_task::Builder::new().propagate_panic(true).spawn(|()| future, schedule);
        runnable.schedule();
        Running(task.fallible())
    }

    /// Begin work for the component on this thread, which is not the queue's.
    pub fn stint(self: &Arc<Self>) -> Stint {
        Stint::new(self)
    }

    pub(crate) fn order(&self) -> RunOrder {
        self.queue.order
    }

    pub(crate) fn push(&self, job: Job) {
        self.queue.push(job);
    }

    /// The CPU time it has used so far, in its queue and in place.
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed))
    }

    /// What it has used of its cap, in cores; nothing if it has none.
    pub fn rate_used(&self) -> Option<f64> {
        Some(self.rate.as_ref()?.lock().used(hull_clock::now()))
    }

    fn held_until(&self, now: Instant) -> Option<Instant> {
        self.rate.as_ref()?.lock().held_until(now)
    }

    /// A slice is over: charge it, and remember if it was a long one.
    pub(crate) fn on_slice(&self, cpu: Duration) {
        let now = hull_clock::now();
        self.charge(now, cpu, Place::Queue);
        if cpu < SLICE_LONG {
            return;
        }
        let now = self.queue.nanos(now);
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let last = self.long_slice_at.swap(now, Ordering::Relaxed);
        if now.saturating_sub(last) > nanos(FORGIVEN_AFTER) {
            self.doublings.store(0, Ordering::Relaxed);
        }
        // One for each time that it had the privilege and did not deserve it, not for each slice.
        if self.slow_until.load(Ordering::Relaxed) <= now {
            let doublings = self.doublings.fetch_add(1, Ordering::Relaxed).min(DOUBLINGS_MAX);
            self.slow_until.store(now.saturating_add(nanos(SLOW_FOR * (1 << doublings))), Ordering::Relaxed);
        }
    }
}

/// How busy the threads are that serve connections.
fn busy_of(handle: &Handle) -> Busy {
    let metrics = handle.metrics();
    Box::new(move || (0..metrics.num_workers()).map(|worker| metrics.worker_total_busy_duration(worker)).sum())
}

impl<T> Running<T> {
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
