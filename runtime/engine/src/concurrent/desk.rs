//! Where jobs are left for an instance, and what is known of it from outside.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::task::AtomicWaker;
use hull_invocation::{Failure, Invocation};
use tokio::sync::{Notify, mpsc, oneshot};
use wasmtime_wasi_http::WasiBody;

use crate::response::{Cut, Head};

/// Requests that may wait for one instance.
pub(super) const JOBS_MAX: usize = 256;

/// One request for an instance.
pub(super) struct Job {
    pub(super) invocation: Invocation,
    pub(super) request: http::Request<WasiBody>,
    pub(super) head: oneshot::Sender<Head>,
}

/// Shared by an instance and those who give it jobs.
pub(super) struct Desk {
    jobs: mpsc::Sender<Job>,
    /// Jobs that were left and are not finished.
    load: AtomicUsize,
    /// Nothing runs in the instance, and nothing will before the next job. Written by the instance alone.
    idle: AtomicBool,
    retiring: AtomicBool,
    /// Wakes the instance when it is told to retire.
    waker: AtomicWaker,
    end: OnceLock<Option<Failure>>,
    has_ended: Notify,
    cut: Cut,
}

impl Desk {
    pub(super) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (sender, jobs) = mpsc::channel(JOBS_MAX);
        let desk = Self {
            jobs: sender,
            load: AtomicUsize::new(0),
            idle: AtomicBool::new(false),
            retiring: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            end: OnceLock::new(),
            has_ended: Notify::new(),
            cut: Cut::default(),
        };
        (desk, jobs)
    }

    /// Leave a job; it comes back if the instance takes no more.
    pub(super) fn put(&self, job: Job) -> Result<(), Job> {
        self.load.fetch_add(1, Ordering::AcqRel);
        self.jobs.try_send(job).map_err(|error| {
            self.load.fetch_sub(1, Ordering::AcqRel);
            error.into_inner()
        })
    }

    pub(super) fn job_done(&self) {
        self.load.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Acquire)
    }

    pub(super) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::Release);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Acquire)
    }

    /// No more jobs; the instance ends when it has finished those it has.
    pub(super) fn retire(&self) {
        self.retiring.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn is_retiring(&self) -> bool {
        self.retiring.load(Ordering::Acquire)
    }

    pub(super) fn watch(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    /// Whether the instance was ended before all that it had to do; its answers ask.
    pub(super) fn cut(&self) -> &Cut {
        &self.cut
    }

    /// The instance is gone. Whoever says so first has the reason.
    pub(super) fn end(&self, failure: Option<Failure>) {
        self.retire();
        if self.end.set(failure).is_ok() {
            self.has_ended.notify_waiters();
        }
    }

    /// Why the instance has ended; waits until it has.
    pub(super) async fn ended(&self) -> Option<Failure> {
        loop {
            let ended = self.has_ended.notified();
            if let Some(failure) = self.end.get() {
                return failure.clone();
            }
            ended.await;
        }
    }
}
