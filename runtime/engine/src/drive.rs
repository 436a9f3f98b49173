//! Driving a guest: its future is polled where the request is, on the connection's own task, and every poll is
//! bounded by the invocation's deadline and charged to its CPU time.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hull_invocation::{ComponentId, Failure};
use tokio::time::Sleep;

use crate::epoch::Pulse;
use crate::registry::Shared;

/// A guest at work. Dropping it ends the guest: its instance is discarded.
pub(crate) type GuestFuture = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

#[derive(Clone, Copy, Default)]
struct Slice {
    used: Duration,
    /// Reading the thread's clock is a system call. A guest that ends within its first tick is spared it.
    started: Option<Duration>,
}

thread_local! {
    static SLICE: Cell<Slice> = const { Cell::new(Slice { used: Duration::ZERO, started: None }) };
}

/// What the guest that runs on this thread has used of CPU time. Called when a tick has passed.
pub(crate) fn slice_cpu() -> Duration {
    let mut slice = SLICE.get();
    let now = hull_clock::thread_cpu();
    // The first tick of an invocation was not measured; from here on it is.
    let started = *slice.started.get_or_insert(now);
    SLICE.set(slice);
    slice.used + now.saturating_sub(started)
}

/// Poll something that runs guests on this thread, and count what it uses. `measured` is whether its first tick is
/// over: before that, reading the clock costs more than it tells.
pub(crate) fn poll_counted<T>(
    pulse: &Pulse,
    cpu_used: &mut Duration,
    measured: bool,
    poll: impl FnOnce() -> Poll<T>,
) -> Poll<T> {
    pulse.keep_awake();
    let outer = SLICE.get();
    let started = measured.then(hull_clock::thread_cpu);
    SLICE.set(Slice { used: *cpu_used, started });
    let result = poll();
    if let Some(started) = SLICE.get().started {
        *cpu_used += hull_clock::thread_cpu().saturating_sub(started);
    }
    SLICE.set(outer);
    result
}

/// Polls a guest until it ends, its deadline passes, or it is dropped.
pub(crate) struct Driver {
    guest: GuestFuture,
    pulse: Arc<Pulse>,
    cpu_used: Duration,
    /// Most guests never wait: the timer is armed for those that do.
    waiting: Option<Pin<Box<Sleep>>>,
    component: ComponentId,
    began: Instant,
    deadline: Instant,
}

impl Driver {
    pub(crate) fn new(shared: &Shared, guest: GuestFuture, component: ComponentId, deadline: Instant) -> Self {
        let began = hull_clock::now();
        Self {
            guest,
            pulse: Arc::clone(shared.ticker.pulse()),
            cpu_used: Duration::ZERO,
            waiting: None,
            component,
            began,
            deadline,
        }
    }
}

impl Future for Driver {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let guest = this.guest.as_mut();
        let measured = this.waiting.is_some();
        if let Poll::Ready(end) = poll_counted(&this.pulse, &mut this.cpu_used, measured, || guest.poll(cx)) {
            return Poll::Ready(end);
        }
        let deadline = this.deadline;
        let sleep = this.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        sleep.as_mut().poll(cx).map(|()| {
            let after = deadline.saturating_duration_since(this.began);
            Err(Failure::DeadlineExceeded { component: this.component.clone(), after })
        })
    }
}
