//! Until when a statement may run, which bound that is, and who else may have it ended: the same on every backend, and
//! said in the same words. How a statement is ended is each backend's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hull_invocation::Resource;
use tokio::sync::Notify;

use crate::error::StorageError;

/// How long a statement of the host's own may run.
const HOST_TIME: Duration = Duration::from_mins(1);

/// Says that nobody waits for the answer any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<(AtomicBool, Notify)>);

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }

    /// Until it is cancelled.
    pub(crate) async fn cancelled(&self) {
        let notified = self.0.1.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }

    /// Cancels when the guard is dropped before it is disarmed: a future that is dropped half-way.
    pub(crate) fn on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Some(self.clone()))
    }
}

/// See [`Cancel::on_drop`].
pub(crate) struct CancelOnDrop(Option<Cancel>);

impl CancelOnDrop {
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = self.0.take() {
            cancel.cancel();
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    until: Instant,
    bound: Bound,
    cancel: Cancel,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Statement(Duration),
    Unit(Duration),
    Deadline,
    Migration(Duration),
    Host,
    /// It was only tried.
    Glance,
}

impl Allowance {
    /// A guest's statement: its own time, then the invocation's deadline.
    pub(crate) fn statement(now: Instant, limit: Duration, deadline: Instant, cancel: &Cancel) -> Self {
        let until = now + limit;
        let (until, bound) =
            if deadline < until { (deadline, Bound::Deadline) } else { (until, Bound::Statement(limit)) };
        Self { until, bound, cancel: cancel.clone() }
    }

    /// At most until the unit of work has lasted as long as it may.
    pub(crate) fn within_unit(mut self, ends: Instant, limit: Duration) -> Self {
        if ends < self.until {
            self.until = ends;
            self.bound = Bound::Unit(limit);
        }
        self
    }

    /// A migration: the host runs it, but what it says is the app's.
    pub(crate) fn migration(now: Instant, limit: Duration, cancel: &Cancel) -> Self {
        Self { until: now + limit, bound: Bound::Migration(limit), cancel: cancel.clone() }
    }

    /// The host's own work, which is bounded by what it does.
    pub(crate) fn host(now: Instant, cancel: &Cancel) -> Self {
        Self { until: now + HOST_TIME, bound: Bound::Host, cancel: cancel.clone() }
    }

    /// A read that is tried on the thread that asks.
    pub(crate) fn glance(now: Instant, time: Duration) -> Self {
        Self { until: now + time, bound: Bound::Glance, cancel: Cancel::default() }
    }

    /// Until it is over.
    pub(crate) async fn over(&self) {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => {}
            () = tokio::time::sleep_until(self.until.into()) => {}
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || hull_clock::now() >= self.until
    }

    pub(crate) fn is_glance(&self) -> bool {
        matches!(self.bound, Bound::Glance)
    }

    /// The component's bound that it meets when it is over.
    pub(crate) fn resource(&self) -> Option<Resource> {
        match self.bound {
            _ if self.cancel.is_cancelled() => None,
            Bound::Statement(_) => Some(Resource::StatementTime),
            // What ends with it is counted there: the unit, the invocation.
            Bound::Unit(_) | Bound::Deadline | Bound::Migration(_) | Bound::Host | Bound::Glance => None,
        }
    }

    /// Why it is over.
    pub(crate) fn error(&self) -> StorageError {
        match self.bound {
            Bound::Migration(_) if self.cancel.is_cancelled() => {
                StorageError::Timeout("the deployment was given up".to_owned())
            }
            _ if self.cancel.is_cancelled() => StorageError::Timeout("the invocation was cancelled".to_owned()),
            Bound::Statement(limit) => StorageError::statement_time(limit),
            Bound::Unit(limit) => StorageError::Timeout(format!(
                "the unit of work held the database longer than {limit:?} (limits.transaction-time)"
            )),
            Bound::Deadline => StorageError::deadline(),
            Bound::Migration(limit) => StorageError::Timeout(format!(
                "it ran longer than {limit:?} and was undone; split it into several migrations that each do less"
            )),
            Bound::Glance => StorageError::Timeout("it is not quick".to_owned()),
            Bound::Host => StorageError::Timeout(format!("the statement ran longer than {HOST_TIME:?}")),
        }
    }
}
