//! One instance that serves many requests at once: a future that does not end while there are jobs to come.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use hull_invocation::{Failure, Invocation};
use tokio::sync::mpsc;
use wasmtime::component::Accessor;

use super::desk::{Desk, Job};
use super::jobs::serve_jobs;
use crate::deploy::{HttpIndices, Version};
use crate::drive::poll_counted;
use crate::instance::Sandbox;
use crate::registry::Shared;
use crate::state::HostState;

/// What polling an instance came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Polled {
    /// It has something to do at once.
    Progressing,
    /// It waits for something outside.
    Waiting,
    /// It waits for nothing but the next job.
    Idle,
    /// It is gone.
    Ended,
}

/// An instance. Dropping it ends everything in it.
pub(super) struct Member {
    work: Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>,
    desk: Arc<Desk>,
    shared: Arc<Shared>,
    version: Arc<Version>,
    woken: Arc<Woken>,
    /// CPU time cannot be told apart by request: it is counted from one idle moment to the next, and may be as much
    /// as the requests of that time together.
    cpu_used: Duration,
    started: Arc<AtomicU32>,
    polls: u32,
    /// What the last poll took, and whether the tick ended it.
    took: Duration,
    ticked: bool,
}

/// Polls after which CPU time is measured: reading the thread's clock costs more than a quick guest uses.
const POLLS_UNMEASURED: u32 = 8;

/// Notes that something in the instance can go on.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Member {
    /// A fresh instance; it is made when it is polled first.
    pub(super) fn hire(shared: Arc<Shared>, version: Arc<Version>, first: Invocation) -> Self {
        let (desk, jobs) = Desk::new();
        let desk = Arc::new(desk);
        let started = Arc::new(AtomicU32::new(0));
        let work =
            work(Arc::clone(&shared), Arc::clone(&version), Arc::clone(&desk), jobs, first, Arc::clone(&started));
        Self {
            work: Box::pin(work),
            desk,
            shared,
            version,
            woken: Arc::default(),
            cpu_used: Duration::ZERO,
            started,
            polls: 0,
            took: Duration::ZERO,
            ticked: false,
        }
    }

    pub(super) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Whether its last poll was ended by the tick; it has more to run at once.
    pub(super) fn ticked(&self) -> bool {
        self.ticked
    }

    /// What its last poll took.
    pub(super) fn took(&self) -> Duration {
        self.took
    }

    /// In place, without a task that could be woken: whoever waits for something must be polled by one afterwards.
    pub(super) fn poll_once(&mut self) -> Polled {
        let woken = Arc::clone(&self.woken);
        woken.0.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&woken));
        match self.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(polled) => polled,
            Poll::Pending if woken.0.load(Ordering::Acquire) => Polled::Progressing,
            Poll::Pending => Polled::Waiting,
        }
    }

    /// Until it is idle or gone.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        let work = self.work.as_mut();
        self.polls = self.polls.saturating_add(1);
        let measured = self.polls > POLLS_UNMEASURED;
        let pulse = self.shared.ticker.pulse();
        let counted = poll_counted(pulse, &mut self.cpu_used, measured, || work.poll(cx));
        self.ticked = counted.ticked;
        self.took = counted.took;
        match counted.result {
            Poll::Ready(end) => {
                self.desk.end(end.err());
                Poll::Ready(Polled::Ended)
            }
            Poll::Pending if self.desk.is_idle() => {
                self.cpu_used = Duration::ZERO;
                self.polls = 0;
                self.started.store(0, Ordering::Relaxed);
                Poll::Ready(Polled::Idle)
            }
            Poll::Pending => {
                let limit = self.version.limits.cpu;
                let allowed = limit.saturating_mul(self.started.load(Ordering::Relaxed).max(1));
                if self.cpu_used > allowed {
                    let component = self.version.component.clone();
                    self.desk.end(Some(Failure::CpuExceeded { component, limit }));
                    return Poll::Ready(Polled::Ended);
                }
                Poll::Pending
            }
        }
    }
}

async fn work(
    shared: Arc<Shared>,
    version: Arc<Version>,
    desk: Arc<Desk>,
    jobs: mpsc::Receiver<Job>,
    first: Invocation,
    started: Arc<AtomicU32>,
) -> Result<(), Failure> {
    let mut sandbox = Sandbox::open(&shared, &version, &first, None).await?;
    drop((shared, first));
    let Some(HttpIndices::V03(indices)) = &version.handlers.http else {
        return Err(Failure::NoHandler { component: version.component.clone(), handler: "wasi:http/handler@0.3" });
    };
    // Dropped before the sandbox, whatever ends it.
    let mut ending = Ending { desk: &desk, finished: false };
    let Sandbox { store, instance, .. } = &mut sandbox;
    let served = match indices.load(&mut *store, instance) {
        Ok(service) => {
            let (version, desk, started) = (&version, &desk, &started);
            let serve = async move |accessor: &Accessor<HostState>| {
                serve_jobs(accessor, &service, version, desk, started, jobs).await
            };
            store.run_concurrent(serve).await.and_then(std::convert::identity)
        }
        Err(error) => Err(error),
    };
    ending.finished = served.map_err(|error| sandbox.failure(&error))?;
    Ok(())
}

/// Bodies look complete when their instance is gone: those who read them are told first, unless there was nothing left to
/// do. What an idle instance has answered is all there, read or not.
struct Ending<'a> {
    desk: &'a Desk,
    finished: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.finished && !self.desk.is_idle() {
            drop(self.desk.cut().on_drop());
        }
    }
}
