//! One instance that serves many requests at once: a future that never ends while there are jobs to come, and the
//! desk through which it gets them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use hull_invocation::{Failure, Invocation};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::bindings::Service;

use super::{JOBS_MAX, Job};
use crate::deploy::{HttpIndices, Reuse, Version};
use crate::drive::{poll_counted, take_interrupted};
use crate::epoch::Pulse;
use crate::http::call_v03;
use crate::instance::Sandbox;
use crate::state::HostState;

/// Where jobs are left for an instance, and what is known of it from outside.
pub(crate) struct Desk {
    jobs: mpsc::Sender<Job>,
    /// Jobs that were left and are not finished.
    load: AtomicUsize,
    /// Nothing runs in the instance, and nothing will before the next job.
    idle: AtomicBool,
    retiring: AtomicBool,
    failure: OnceLock<Failure>,
}

impl Desk {
    pub(super) fn put(&self, job: Job) -> Result<(), Job> {
        self.idle.store(false, Ordering::Release);
        self.load.fetch_add(1, Ordering::AcqRel);
        self.jobs.try_send(job).map_err(|error| {
            self.load.fetch_sub(1, Ordering::AcqRel);
            error.into_inner()
        })
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Acquire)
    }

    pub(super) fn retire(&self) {
        self.retiring.store(true, Ordering::Release);
    }

    pub(super) fn is_retiring(&self) -> bool {
        self.retiring.load(Ordering::Acquire)
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get().cloned()
    }
}

/// What polling an instance came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    /// It has something to do, or waits for something.
    Busy,
    /// It waits for nothing but the next job.
    Idle,
    /// It is gone.
    Ended,
}

/// An instance. Dropping it ends everything in it.
pub(crate) struct Member {
    work: Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>,
    desk: Arc<Desk>,
    pulse: Arc<Pulse>,
    cpu_used: Duration,
}

impl Member {
    /// A fresh instance; it is made when it is polled first.
    pub(super) fn hire(pulse: Arc<Pulse>, version: Arc<Version>, first: Invocation) -> Self {
        let (sender, jobs) = mpsc::channel(JOBS_MAX);
        let desk = Arc::new(Desk {
            jobs: sender,
            load: AtomicUsize::new(0),
            idle: AtomicBool::new(false),
            retiring: AtomicBool::new(false),
            failure: OnceLock::new(),
        });
        let work = Box::pin(work(version, Arc::clone(&desk), jobs, first));
        Self { work, desk, pulse, cpu_used: Duration::ZERO }
    }

    pub(super) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Without a waker: whoever is idle afterwards needs none, and whoever is busy is polled again with one.
    pub(super) fn poll_once(&mut self) -> Polled {
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(polled) => polled,
            Poll::Pending => Polled::Busy,
        }
    }

    /// Until it is idle or gone.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        let work = self.work.as_mut();
        let measured = self.cpu_used > Duration::ZERO;
        match poll_counted(&self.pulse, &mut self.cpu_used, measured, || work.poll(cx)) {
            Poll::Ready(end) => {
                self.desk.retire();
                if let Err(failure) = end {
                    // The first reason is the one.
                    let _ = self.desk.failure.set(failure);
                }
                Poll::Ready(Polled::Ended)
            }
            Poll::Pending => {
                // CPU time cannot be told apart by request. What is bounded is how long they keep the instance
                // without any of them waiting for something.
                if !take_interrupted() {
                    self.cpu_used = Duration::ZERO;
                }
                if self.desk.idle.load(Ordering::Acquire) { Poll::Ready(Polled::Idle) } else { Poll::Pending }
            }
        }
    }
}

async fn work(
    version: Arc<Version>,
    desk: Arc<Desk>,
    jobs: mpsc::Receiver<Job>,
    first: Invocation,
) -> Result<(), Failure> {
    let mut sandbox = Sandbox::open(&version, &first, None).await?;
    drop(first);
    let Some(HttpIndices::V03(indices)) = &version.handlers.http else {
        return Err(Failure::NoHandler { component: version.component.clone(), handler: "wasi:http/handler@0.3" });
    };
    let Sandbox { store, instance, .. } = &mut sandbox;
    let served = match indices.load(&mut *store, instance) {
        Ok(service) => {
            let (version, desk) = (&version, &desk);
            let serve = async move |accessor: &Accessor<HostState>| {
                serve_jobs(accessor, &service, version, desk, jobs).await
            };
            store.run_concurrent(serve).await.and_then(std::convert::identity)
        }
        Err(error) => Err(error),
    };
    served.map_err(|error| sandbox.failure(&error))
}

/// Take jobs until there are to be no more, and finish them.
async fn serve_jobs(
    accessor: &Accessor<HostState>,
    service: &Service,
    version: &Version,
    desk: &Desk,
    mut jobs: mpsc::Receiver<Job>,
) -> wasmtime::Result<()> {
    let Reuse::Concurrent { invocations_max } = version.reuse else { return Ok(()) };
    let mut running = FuturesUnordered::new();
    let mut scopes = Scopes::default();
    let mut number = 0;
    let mut last_deadline = hull_clock::now();
    let mut end: Option<Pin<Box<Sleep>>> = None;
    std::future::poll_fn(|cx| {
        loop {
            let mut progressed = false;
            while let Poll::Ready(Some(ended)) = running.poll_next_unpin(cx) {
                let (ended, result): (u32, wasmtime::Result<()>) = ended;
                desk.load.fetch_sub(1, Ordering::AcqRel);
                scopes.leave(accessor, version, ended);
                progressed = true;
                if let Err(error) = result {
                    return Poll::Ready(Err(error));
                }
            }
            if number < invocations_max
                && let Poll::Ready(Some(job)) = jobs.poll_recv(cx)
            {
                number += 1;
                if number == invocations_max {
                    desk.retire();
                }
                last_deadline = last_deadline.max(job.invocation.deadline);
                scopes.enter(accessor, version, number, &job.invocation);
                running.push(one(accessor, service, desk, number, job));
                progressed = true;
            }
            if !progressed {
                break;
            }
        }
        if !running.is_empty() {
            return Poll::Pending;
        }
        let finished = accessor.poll_no_interesting_tasks(cx).is_ready();
        if desk.is_retiring() && desk.load() == 0 {
            // What still writes a body, or hangs, has the time that its request had.
            let end = end.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(last_deadline.into())));
            let over = finished || end.as_mut().poll(cx).is_ready();
            return if over { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        desk.idle.store(finished && desk.load() == 0, Ordering::Release);
        Poll::Pending
    })
    .await
}

/// One request. A guest that is stuck in it is not waited for beyond its deadline.
async fn one(
    accessor: &Accessor<HostState>,
    service: &Service,
    desk: &Desk,
    number: u32,
    job: Job,
) -> (u32, wasmtime::Result<()>) {
    let Job { invocation, request, head } = job;
    let call = std::pin::pin!(call_v03(accessor, service, request, head));
    match first_poll_or_deadline(call, invocation.deadline).await {
        Some(result) => (number, result),
        None => {
            desk.retire();
            (number, Ok(()))
        }
    }
}

/// Most calls end when they are polled first: the timer is armed for the others.
async fn first_poll_or_deadline<F: Future>(mut call: Pin<&mut F>, deadline: Instant) -> Option<F::Output> {
    let first = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    match first {
        Poll::Ready(result) => Some(result),
        Poll::Pending => tokio::time::timeout_at(deadline.into(), call).await.ok(),
    }
}

/// Whose calls, lines and deadlines the instance's are: host calls do not tell which request they are made for, so
/// they are made for the one that is deepest in a chain. A ring of calls cannot hide in here.
#[derive(Default)]
struct Scopes {
    active: BTreeMap<u32, Invocation>,
    current: u32,
}

impl Scopes {
    fn enter(&mut self, accessor: &Accessor<HostState>, version: &Version, number: u32, invocation: &Invocation) {
        let depth = |invocation: &Invocation| invocation.lineage.depth();
        let current = self.active.get(&self.current);
        if current.is_none_or(|current| depth(invocation) >= depth(current)) {
            self.current = number;
            accessor.with(|mut store| store.data_mut().serve_next(version, invocation, None));
        }
        self.active.insert(number, invocation.clone());
    }

    fn leave(&mut self, accessor: &Accessor<HostState>, version: &Version, number: u32) {
        self.active.remove(&number);
        if self.current != number {
            return;
        }
        let deepest = self.active.iter().max_by_key(|(_, invocation)| invocation.lineage.depth());
        if let Some((number, invocation)) = deepest {
            self.current = *number;
            accessor.with(|mut store| store.data_mut().serve_next(version, invocation, None));
        }
    }
}
