//! Inside an instance: take jobs, run them side by side, and know when there is nothing left to do.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use futures::stream::{FuturesUnordered, StreamExt};
use hull_invocation::Invocation;
use tokio::sync::mpsc;
use tokio::time::Sleep;
use wasmtime::AsContextMut;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::bindings::Service;

use super::desk::{Desk, Job};
use crate::deploy::Version;
use crate::http::call_v03;
use crate::spec::Reuse;
use crate::state::HostState;

/// Take jobs until there are to be no more, and finish them; whether they were finished in time.
pub(super) async fn serve_jobs(
    accessor: &Accessor<HostState>,
    service: &Service,
    version: &Version,
    desk: &Desk,
    started: &AtomicU32,
    mut jobs: mpsc::Receiver<Job>,
) -> wasmtime::Result<bool> {
    let Reuse::Concurrent { invocations_max } = version.reuse else { return Ok(true) };
    let mut running = FuturesUnordered::new();
    let mut scopes = Scopes::new(accessor, version, started);
    let mut leftovers = Leftovers { until: hull_clock::now(), sleep: None };
    let mut number = 0_u32;
    std::future::poll_fn(|cx| {
        desk.set_idle(false);
        desk.watch(cx.waker());
        if desk.is_retiring() || number >= invocations_max {
            desk.retire();
            jobs.close();
        }
        let mut drained = false;
        loop {
            if let Poll::Ready(Some(ended)) = running.poll_next_unpin(cx) {
                let (ended, result): (u32, wasmtime::Result<()>) = ended;
                desk.job_done();
                scopes.leave(ended);
                if let Err(error) = result {
                    return Poll::Ready(Err(error));
                }
                continue;
            }
            match jobs.poll_recv(cx) {
                Poll::Ready(Some(job)) => {
                    number = number.saturating_add(1);
                    leftovers.extend(job.invocation.deadline);
                    scopes.enter(number, &job.invocation);
                    running.push(one(accessor, service, desk, number, job));
                }
                Poll::Ready(None) => {
                    drained = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        if !running.is_empty() {
            return Poll::Pending;
        }
        let finished = accessor.poll_no_interesting_tasks(cx).is_ready();
        if finished && drained {
            return Poll::Ready(Ok(true));
        }
        if finished {
            desk.set_idle(desk.load() == 0);
            return Poll::Pending;
        }
        // What still writes a body, or hangs, has the time that the last request had, and then ends with the instance.
        leftovers.poll(cx).map(|()| Ok(false))
    })
    .await
}

/// The time for what goes on when all requests are answered.
struct Leftovers {
    until: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Leftovers {
    fn extend(&mut self, deadline: Instant) {
        self.until = self.until.max(deadline);
        self.sleep = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.into()))).as_mut().poll(cx)
    }
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
struct Scopes<'a> {
    accessor: &'a Accessor<HostState>,
    version: &'a Version,
    started: &'a AtomicU32,
    active: BTreeMap<u32, Invocation>,
    current: u32,
}

impl<'a> Scopes<'a> {
    fn new(accessor: &'a Accessor<HostState>, version: &'a Version, started: &'a AtomicU32) -> Self {
        Self { accessor, version, started, active: BTreeMap::new(), current: 0 }
    }

    fn enter(&mut self, number: u32, invocation: &Invocation) {
        let current = self.active.get(&self.current);
        if current.is_none_or(|current| invocation.lineage.depth() >= current.lineage.depth()) {
            self.serve(number, invocation);
        }
        let started = self.started.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let cpu = self.version.limits.cpu.saturating_mul(started);
        self.accessor.with(|mut store| {
            store.data_mut().limits.cpu = cpu;
            // After an idle time the last slice is long over: the guest would be interrupted as soon as it begins.
            store.as_context_mut().set_epoch_deadline(1);
        });
        self.active.insert(number, invocation.clone());
    }

    fn leave(&mut self, number: u32) {
        self.active.remove(&number);
        if self.current != number {
            return;
        }
        let deepest = self.active.iter().max_by_key(|(_, invocation)| invocation.lineage.depth());
        if let Some((number, invocation)) = deepest.map(|(number, invocation)| (*number, invocation.clone())) {
            self.serve(number, &invocation);
        }
    }

    fn serve(&mut self, number: u32, invocation: &Invocation) {
        self.current = number;
        self.accessor.with(|mut store| store.data_mut().serve_next(self.version, invocation, None));
    }
}
