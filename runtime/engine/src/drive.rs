//! Driving a guest: its future is polled where the request is, on the connection's own task, and every poll is
//! bounded by the invocation's deadline and charged to its CPU time.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hull_invocation::{ComponentId, Failure};
use tokio::time::Sleep;

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

/// Polls a guest until it ends, its deadline passes, or it is dropped.
pub(crate) struct Driver {
    guest: GuestFuture,
    component: ComponentId,
    deadline: Instant,
    begun: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    cpu_used: Duration,
}

impl Driver {
    pub(crate) fn new(guest: GuestFuture, component: ComponentId, deadline: Instant) -> Self {
        Self { guest, component, deadline, begun: None, sleep: None, cpu_used: Duration::ZERO }
    }

    fn poll_guest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let outer = SLICE.get();
        let started = self.begun.map(|_| hull_clock::thread_cpu());
        SLICE.set(Slice { used: self.cpu_used, started });
        let poll = self.guest.as_mut().poll(cx);
        if let Some(started) = SLICE.get().started {
            self.cpu_used += hull_clock::thread_cpu().saturating_sub(started);
        }
        SLICE.set(outer);
        poll
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        // Most guests never wait: the timer is armed for those that do.
        let begun = *self.begun.get_or_insert_with(hull_clock::now);
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        sleep.as_mut().poll(cx).map(|()| Failure::DeadlineExceeded {
            component: self.component.clone(),
            after: deadline.saturating_duration_since(begun),
        })
    }
}

impl Future for Driver {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(end) = self.poll_guest(cx) {
            return Poll::Ready(end);
        }
        self.poll_deadline(cx).map(Err)
    }
}
