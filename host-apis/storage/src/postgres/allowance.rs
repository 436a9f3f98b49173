//! Until when a statement may run, and who else may have it ended. PostgreSQL's own timeouts are settings that a guest's
//! function can change, so the host keeps the time and asks the server to cancel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hull_invocation::{CountRejected, Resource};
use tokio::sync::Notify;

use super::failure::CANCELLED;
use super::link::Link;
use crate::error::StorageError;

/// How long a statement of the host's own may run.
const HOST_TIME: Duration = Duration::from_mins(1);
/// How long the server may take to end a statement, before the connection is given up.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Says that nobody waits for the answer any more.
#[derive(Clone, Default)]
pub(super) struct Cancel(Arc<(AtomicBool, Notify)>);

impl Cancel {
    pub(super) fn cancel(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.notify_waiters();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }

    /// Until it is cancelled.
    pub(super) async fn cancelled(&self) {
        let notified = self.0.1.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

/// Cancels when it is dropped before it is disarmed: a future that is dropped half-way.
pub(super) struct CancelOnDrop(Option<Cancel>);

impl CancelOnDrop {
    pub(super) fn new(cancel: &Cancel) -> Self {
        Self(Some(cancel.clone()))
    }

    pub(super) fn disarm(mut self) {
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

/// Until when a statement may run, and which bound that is.
#[derive(Clone)]
pub(super) struct Allowance {
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
}

impl Allowance {
    /// A guest's statement: its own time, then the invocation's deadline.
    pub(super) fn statement(limit: Duration, deadline: Instant, cancel: &Cancel) -> Self {
        let until = hull_clock::now() + limit;
        let (until, bound) =
            if deadline < until { (deadline, Bound::Deadline) } else { (until, Bound::Statement(limit)) };
        Self { until, bound, cancel: cancel.clone() }
    }

    /// At most until the unit of work has lasted as long as it may.
    pub(super) fn within_unit(mut self, ends: Instant, limit: Duration) -> Self {
        if ends < self.until {
            self.until = ends;
            self.bound = Bound::Unit(limit);
        }
        self
    }

    /// A migration: the host runs it, but what it says is the app's.
    pub(super) fn migration(limit: Duration, cancel: &Cancel) -> Self {
        Self { until: hull_clock::now() + limit, bound: Bound::Migration(limit), cancel: cancel.clone() }
    }

    /// The host's own work, which is bounded by what it does.
    pub(super) fn host(cancel: &Cancel) -> Self {
        Self { until: hull_clock::now() + HOST_TIME, bound: Bound::Host, cancel: cancel.clone() }
    }

    /// Run `work` until it is over; then have the server end it, and wait for that.
    pub(super) async fn run<R>(
        &self,
        link: &Link,
        rejected: Option<&Arc<dyn CountRejected>>,
        work: impl Future<Output = Result<R, StorageError>>,
    ) -> Result<R, StorageError> {
        tokio::pin!(work);
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = self.cancel.cancelled() => {}
            () = tokio::time::sleep_until(self.until.into()) => {}
        }
        let reason = self.reason();
        let ending = async {
            let (result, ()) = tokio::join!(&mut work, link.cancel());
            result
        };
        let Ok(result) = tokio::time::timeout(CANCEL_TIME, ending).await else {
            link.break_off();
            return Err(StorageError::Timeout(reason));
        };
        match result {
            Err(StorageError::Timeout(text)) if text.ends_with(CANCELLED) => {
                if let (Bound::Statement(_), Some(rejected)) = (self.bound, rejected) {
                    rejected.rejected(Resource::StatementTime);
                }
                // What was said of where it happened stays.
                Err(StorageError::Timeout(text.replace(CANCELLED, &reason)))
            }
            // It came to its own end first.
            other => other,
        }
    }

    fn reason(&self) -> String {
        match self.bound {
            Bound::Migration(_) if self.cancel.is_cancelled() => "the deployment was given up".to_owned(),
            _ if self.cancel.is_cancelled() => "the invocation was cancelled".to_owned(),
            Bound::Statement(limit) => StorageError::statement_time(limit).to_string(),
            Bound::Unit(limit) => {
                format!("the unit of work held the database longer than {limit:?} (limits.transaction-time)")
            }
            Bound::Deadline => StorageError::deadline().to_string(),
            Bound::Migration(limit) => {
                format!(
                    "it ran longer than {limit:?} and was undone; split it into several migrations that each do less"
                )
            }
            Bound::Host => format!("the statement ran longer than {HOST_TIME:?}"),
        }
    }
}
