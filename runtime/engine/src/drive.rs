//! Driving a guest: its first slice is polled where the request is, on the connection's own task, so that a guest that
//! ends at once costs no hand-over. One that runs past the tick, or that has lost the privilege, goes on in the fair run
//! queue. Every slice is bounded by the invocation's deadline and charged to its component.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hull_dispatch::{Account, Running};
use hull_invocation::{ComponentId, Failure};
use tokio::time::Sleep;

use crate::epoch::Pulse;
use crate::registry::Shared;

/// A guest at work. Dropping it ends the guest: its instance is discarded.
pub(crate) type GuestFuture = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// A slice is not ended by a tick before it has used so much CPU time: ticks are everybody's, and a guest of some
/// microseconds is not slow because one passed, nor because its thread was taken from its work.
const SLICE_LEAST: Duration = Duration::from_micros(300);

/// For how long a guest may run in slices that no tick falls into, by the clock on the wall, before these are measured too:
/// most guests wait a few times for a moment and end. So much may be missing in what it is told to have used.
const BRIEF_MAX: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Default)]
struct Slice {
    used: Duration,
    /// Reading the thread's clock is a system call. A guest that ends within its first tick is spared it.
    started: Option<Duration>,
    /// Since then, as the last tick found it.
    ran: Duration,
    ticked: bool,
}

thread_local! {
    static SLICE: Cell<Slice> = const { Cell::new(Slice { used: Duration::ZERO, started: None, ran: Duration::ZERO, ticked: false }) };
}

/// What the guest that runs on this thread has used of CPU time. Called when a tick has passed.
pub(crate) fn slice_cpu() -> Duration {
    let mut slice = SLICE.get();
    let now = hull_clock::thread_cpu();
    // The first tick of an invocation was not measured; from here on it is.
    let started = *slice.started.get_or_insert(now);
    slice.ran = now.saturating_sub(started);
    SLICE.set(slice);
    slice.used + slice.ran
}

/// Whether the slice that runs on this thread has used little, as far as [`slice_cpu`] could tell. If not, the tick ends
/// it. The first slice of an invocation is measured from its first tick on, and ends at the second.
pub(crate) fn slice_is_fresh() -> bool {
    let slice = SLICE.get();
    let is_fresh = slice.ran < SLICE_LEAST;
    SLICE.set(Slice { ticked: !is_fresh, ..slice });
    is_fresh
}

/// One slice, counted.
pub(crate) struct Counted<T> {
    pub(crate) result: Poll<T>,
    /// By the wall clock: for a slice, near enough to its CPU time, and the thread's clock is a system call.
    pub(crate) took: Duration,
    pub(crate) ended: Instant,
    /// The tick ended it: there is more to run at once.
    pub(crate) ticked: bool,
}

/// Poll something that runs guests on this thread, and count what it uses. `measured` is whether its first tick is
/// over: before that, reading the thread's clock costs more than it tells.
pub(crate) fn poll_counted<T>(
    pulse: &Pulse,
    cpu_used: &mut Duration,
    measured: bool,
    poll: impl FnOnce() -> Poll<T>,
) -> Counted<T> {
    pulse.keep_awake();
    let outer = SLICE.get();
    let started = measured.then(hull_clock::thread_cpu);
    let began = hull_clock::now();
    SLICE.set(Slice { used: *cpu_used, started, ran: Duration::ZERO, ticked: false });
    let result = poll();
    let slice = SLICE.get();
    if let Some(started) = slice.started {
        *cpu_used += hull_clock::thread_cpu().saturating_sub(started);
    }
    SLICE.set(outer);
    let ended = hull_clock::now();
    let took = ended.saturating_duration_since(began);
    Counted { result, took, ended, ticked: slice.ticked }
}

/// A guest with what it has used; polled by the run queue when its turn has come.
struct Measured {
    guest: GuestFuture,
    pulse: Arc<Pulse>,
    cpu_used: Duration,
    /// For how long it ran unmeasured.
    brief: Duration,
}

impl Future for Measured {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let guest = this.guest.as_mut();
        poll_counted(&this.pulse, &mut this.cpu_used, true, || guest.poll(cx)).result
    }
}

enum Place {
    /// On the task that waits for it.
    Here(Measured),
    /// In the run queue.
    Queued(Running<Result<(), Failure>>),
}

/// Polls a guest until it ends, its deadline passes, or it is dropped.
pub(crate) struct Driver {
    place: Option<Place>,
    account: Arc<Account>,
    /// Most guests never wait: the timer is armed for those that do.
    waiting: Option<Pin<Box<Sleep>>>,
    component: ComponentId,
    began: Instant,
    deadline: Instant,
}

impl Driver {
    pub(crate) fn new(
        shared: &Shared,
        guest: GuestFuture,
        component: ComponentId,
        account: &Arc<Account>,
        deadline: Instant,
    ) -> Self {
        let began = hull_clock::now();
        let guest = Measured {
            guest,
            pulse: Arc::clone(shared.ticker.pulse()),
            cpu_used: Duration::ZERO,
            brief: Duration::ZERO,
        };
        let place = match account.may_run_in_place(began) {
            true => Place::Here(guest),
            false => Place::Queued(account.run(guest)),
        };
        Self { place: Some(place), account: Arc::clone(account), waiting: None, component, began, deadline }
    }

    /// The deadline has passed. A guest in the queue ends as well: nobody waits for it any more.
    fn too_late(&mut self) -> Result<(), Failure> {
        self.place = None;
        let after = self.deadline.saturating_duration_since(self.began);
        Err(Failure::DeadlineExceeded { component: self.component.clone(), after })
    }

    /// What a guest in the queue came to; nothing, if the host is stopping.
    fn stopped(&self, end: Option<Result<(), Failure>>) -> Result<(), Failure> {
        let message = || "the host is stopping".to_owned();
        end.unwrap_or_else(|| Err(Failure::Unavailable { component: self.component.clone(), message: message() }))
    }

    fn poll_guest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let has_waited = self.waiting.is_some();
        let must_leave = match &mut self.place {
            None => return Poll::Ready(Err(Failure::Cancelled)),
            Some(Place::Queued(running)) => return Pin::new(running).poll(cx).map(|end| self.stopped(end)),
            Some(Place::Here(Measured { guest, pulse, cpu_used, brief })) => {
                let measured = has_waited && *brief >= BRIEF_MAX;
                let counted = poll_counted(pulse, cpu_used, measured, || guest.as_mut().poll(cx));
                self.account.charge_in_place(counted.ended, counted.took);
                if !measured {
                    *brief += counted.took;
                }
                if let Poll::Ready(end) = counted.result {
                    return Poll::Ready(end);
                }
                counted.ticked && self.account.must_leave()
            }
        };
        if must_leave && let Some(Place::Here(guest)) = self.place.take() {
            let mut running = self.account.run(guest);
            let polled = Pin::new(&mut running).poll(cx);
            self.place = Some(Place::Queued(running));
            return polled.map(|end| self.stopped(end));
        }
        Poll::Pending
    }
}

impl Future for Driver {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Asked first: a guest that waited for somebody with the same deadline must not answer after it.
        if this.waiting.is_some() && hull_clock::now() >= this.deadline {
            return Poll::Ready(this.too_late());
        }
        if let Poll::Ready(end) = this.poll_guest(cx) {
            return Poll::Ready(end);
        }
        let deadline = this.deadline;
        // Timers are late by a little; whoever waits for this looks at the clock as well, and would be first.
        if hull_clock::now() >= deadline {
            return Poll::Ready(this.too_late());
        }
        let sleep = this.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        sleep.as_mut().poll(cx).map(|()| this.too_late())
    }
}
