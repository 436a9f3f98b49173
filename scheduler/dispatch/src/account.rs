//! What one component uses of the CPU: charged to its reserve, its bulkhead's share and its cap, and remembered if it was
//! not quick.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hull_admission::{CpuRate, CpuReserve, Share, nanos};
use parking_lot::Mutex;

use crate::attendance::guest_ran;
use crate::own_time::own_part_of;
use crate::pace::Pace;
use crate::recent::{Place, Seen, Slice};
use crate::run_queue::{Job, RunOrder, Running, Shared, Work};
use crate::turn::Stint;

/// A slice of so much CPU time shows that a guest is not quick.
pub(crate) const SLICE_LONG: Duration = Duration::from_micros(500);
/// For how long a component that is not quick begins in the queue; doubled each time, up to [`DOUBLINGS_MAX`] times.
const SLOW_FOR: Duration = Duration::from_millis(100);
const DOUBLINGS_MAX: u32 = 5;
/// After so long without a long slice a component is forgiven all earlier ones.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10);

/// What one component's manifest says of the CPU, in percent of one core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuBounds {
    /// `limits.cpu-rate`: a hard cap.
    pub rate: Option<u32>,
    /// `reserve.cpu`: what it uses within that is not charged to its bulkhead's share.
    pub reserve: u32,
}

/// What one version of a component uses of the CPU, charged to its bulkhead's share. What the component may use, all its
/// versions use together; how quick it is, each shows for itself.
pub struct Account {
    queue: Arc<Shared>,
    share: Arc<Share>,
    seen: Seen,
    quota: Arc<Quota>,
    used_nanos: Arc<AtomicU64>,
    /// Until then it begins in the queue; in nanoseconds since the queue began, like the next.
    slow_until: AtomicU64,
    long_slice_at: AtomicU64,
    doublings: AtomicU32,
    pace: Pace,
}

/// What the versions of a component have in common.
struct Quota {
    bounds: CpuBounds,
    reserve: CpuReserve,
    rate: Option<Mutex<CpuRate>>,
}

impl Quota {
    fn new(bounds: CpuBounds) -> Self {
        let now = hull_clock::now();
        let rate = bounds.rate.map(|percent| Mutex::new(CpuRate::new(percent, now)));
        Self { bounds, reserve: CpuReserve::new(bounds.reserve, now), rate }
    }

    /// The same while the bounds are; with others it is as full as it was, or as long in debt.
    fn after(before: &Arc<Self>, bounds: CpuBounds) -> Arc<Self> {
        if before.bounds == bounds {
            return Arc::clone(before);
        }
        let mut next = Self::new(bounds);
        if let (Some(percent), Some(rate)) = (bounds.rate, &before.rate) {
            next.rate = Some(Mutex::new(rate.lock().after(percent, hull_clock::now())));
        }
        Arc::new(next)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("used", &self.used()).finish_non_exhaustive()
    }
}

impl Account {
    /// Of a component's first version, or of the one after `before`.
    pub(crate) fn new(queue: &Arc<Shared>, share: &Arc<Share>, bounds: CpuBounds, before: Option<&Self>) -> Arc<Self> {
        let quota = before.map_or_else(|| Arc::new(Quota::new(bounds)), |before| Quota::after(&before.quota, bounds));
        Arc::new(Self {
            queue: Arc::clone(queue),
            share: Arc::clone(share),
            seen: queue.recent.join(share),
            quota,
            used_nanos: before.map(|before| Arc::clone(&before.used_nanos)).unwrap_or_default(),
            slow_until: AtomicU64::new(0),
            long_slice_at: AtomicU64::new(0),
            doublings: AtomicU32::new(0),
            pace: Pace::new(queue.recent.threads()),
        })
    }

    /// Whether an invocation may begin right where its request is. Not if the component is known not to be quick, if it
    /// is at its cap, or if its bulkhead is over its share while others wait and nothing of its reserve is left. Costs
    /// no system call and, without a cap, no lock.
    pub fn may_run_in_place(&self, now: Instant) -> bool {
        if self.queue.order == RunOrder::Unfair {
            return true;
        }
        let is_slow = self.slow_until.load(Ordering::Relaxed) > self.queue.nanos(now);
        let waits = || self.queue.keeps_waiting(&self.share) && !self.quota.reserve.is_left(now);
        !is_slow && !waits() && !self.is_over(now) && self.held_until(now).is_none()
    }

    /// When a request for the component is to be looked at further, if not now: while it is over its share and others
    /// are active, the host does little for it. Costs no system call.
    pub fn turn(&self, now: Instant) -> Option<Instant> {
        if self.queue.order == RunOrder::Unfair || !self.is_over(now) {
            return None;
        }
        let nanos = self.queue.nanos(now);
        let turn = self.pace.next(nanos);
        (turn > nanos).then(|| now + Duration::from_nanos(turn - nanos))
    }

    /// Whether it is over its share while others are active, with nothing of its reserve left.
    pub fn is_over(&self, now: Instant) -> bool {
        self.queue.recent.is_over(&self.share) && !self.quota.reserve.is_left(now)
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
        let cpu = own_part_of(took);
        self.pace.on_attended(cpu);
        self.charge_share(now, cpu, Place::Here);
    }

    /// So much was used for it by a process that gives way to everything else: it is counted, and keeps nobody waiting.
    pub fn charge_elsewhere(&self, cpu: Duration) {
        self.used_nanos.fetch_add(nanos(cpu), Ordering::Relaxed);
    }

    fn charge(&self, now: Instant, cpu: Duration, place: Place) {
        self.charge_elsewhere(cpu);
        self.charge_share(now, cpu, place);
        if let Some(rate) = &self.quota.rate {
            rate.lock().on_used(now, cpu);
        }
    }

    fn charge_share(&self, now: Instant, cpu: Duration, place: Place) {
        let charged = self.quota.reserve.on_used(now, cpu);
        self.queue.recent.on_slice(self.queue.nanos(now), &self.share, &self.seen, Slice { cpu, charged, place });
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
        Running::new(task.fallible())
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

    /// The CPU time that the component has used so far, all its versions together: in the queue, in place and to be
    /// compiled.
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed))
    }

    /// What it has used of its cap, in cores; nothing if it has none.
    pub fn rate_used(&self) -> Option<f64> {
        Some(self.quota.rate.as_ref()?.lock().used(hull_clock::now()))
    }

    /// The share of its bulkhead.
    pub fn share(&self) -> &Arc<Share> {
        &self.share
    }

    pub(crate) fn held_until(&self, now: Instant) -> Option<Instant> {
        self.quota.rate.as_ref()?.lock().held_until(now)
    }

    /// A slice is over: charge it, and remember if it was a long one.
    pub(crate) fn on_slice(&self, cpu: Duration) {
        let now = hull_clock::now();
        self.charge(now, cpu, Place::Queue);
        if cpu < SLICE_LONG {
            return;
        }
        let now = self.queue.nanos(now);
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
