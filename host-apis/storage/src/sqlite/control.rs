//! Ends statements that run too long or that nobody waits for any more. SQLite asks every few thousand steps of
//! its machine whether to go on; this answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::StorageError;
use crate::options::StatementMeter;

/// How many steps of SQLite's machine lie between two questions: some tens of microseconds.
pub(super) const STEPS_BETWEEN_CHECKS: i32 = 2000;

/// How long a statement of the host's own may run, migrations among them.
const HOST_TIME: Duration = Duration::from_mins(1);

/// Says that nobody waits for the answer any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
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

/// Until when a statement may run, and which bound that is.
#[derive(Debug, Clone)]
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
    Host,
}

impl Allowance {
    /// A guest's statement: its own time, then the invocation's deadline.
    pub(super) fn statement(now: Instant, limit: Duration, deadline: Instant, cancel: &Cancel) -> Self {
        let until = now + limit;
        let (until, bound) =
            if deadline < until { (deadline, Bound::Deadline) } else { (until, Bound::Statement(limit)) };
        Self { until, bound, cancel: cancel.clone() }
    }

    /// At most until the unit of work has held the writer for as long as it may.
    pub(super) fn within_unit(mut self, ends: Instant, limit: Duration) -> Self {
        if ends < self.until {
            self.until = ends;
            self.bound = Bound::Unit(limit);
        }
        self
    }

    /// The host's own work, which is bounded by what it does.
    pub(super) fn host(now: Instant) -> Self {
        Self { until: now + HOST_TIME, bound: Bound::Host, cancel: Cancel::default() }
    }

    fn error(&self) -> StorageError {
        match self.bound {
            _ if self.cancel.is_cancelled() => StorageError::Timeout("the invocation was cancelled".to_owned()),
            Bound::Statement(limit) => StorageError::statement_time(limit),
            Bound::Unit(limit) => StorageError::Timeout(format!(
                "the unit of work held the database longer than {limit:?} (limits.transaction-time)"
            )),
            Bound::Deadline => StorageError::deadline(),
            Bound::Host => StorageError::Timeout(format!("the statement ran longer than {HOST_TIME:?}")),
        }
    }
}

/// Shared by a connection and its progress handler.
pub(super) struct Control {
    current: Mutex<Option<Allowance>>,
    meter: Option<Arc<dyn StatementMeter>>,
}

impl Control {
    pub(super) fn new(meter: Option<Arc<dyn StatementMeter>>) -> Self {
        Self { current: Mutex::new(None), meter }
    }

    /// What the statements from here on are allowed.
    pub(super) fn allow(&self, allowance: Allowance) {
        *self.current.lock() = Some(allowance);
    }

    /// Statements between two allowances are the host's savepoints and commits, which must not be ended half-way.
    pub(super) fn release(&self) {
        *self.current.lock() = None;
    }

    /// The progress handler: `true` ends the statement.
    pub(super) fn must_stop(&self) -> bool {
        let goes_on = self.meter.as_ref().is_none_or(|meter| meter.step());
        let current = self.current.lock();
        current.as_ref().is_some_and(|allowance| {
            !goes_on || allowance.cancel.is_cancelled() || hull_clock::now() >= allowance.until
        })
    }

    /// Why a statement was ended.
    pub(super) fn interruption(&self) -> StorageError {
        let current = self.current.lock();
        current.as_ref().map_or_else(|| StorageError::Timeout("interrupted".to_owned()), Allowance::error)
    }
}
