//! One thing to do with a database. Operations are plain data with their parameters, so that they can wait in a
//! queue, be run again when a shared commit is lost, and be given to another backend.

use std::sync::Arc;
use std::time::Duration;

use crate::error::StorageError;
use crate::options::{StatementMeter, StorageLimits};
use crate::overlay::MAY_WRITE;
use crate::sqlite::Scope;

/// By how much an operation may make the database grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It only reads.
    None,
    /// Up to the reserve.
    Guest,
    /// Also into the first half of the reserve: events, as many and as large as guests make them.
    Events,
    /// Also into all of the reserve, up to `limits.storage`.
    Host,
}

/// See the module.
pub(crate) trait Operation: Send + 'static {
    /// What it answers.
    type Output: Send + 'static;

    /// By how much it may make the database grow; [`Growth::None`] if it cannot write.
    fn growth(&self) -> Growth;

    /// The bound of work that is the host's own but may be long, as its text is not: it ends as well when nobody waits
    /// for it any more.
    fn long_time(&self, _: &StorageLimits) -> Option<Duration> {
        None
    }

    /// Whether it may be tried on the thread that asks, which serves everybody: nothing that it does can be long, unless
    /// a value is large.
    fn is_quick(&self, _: &Scope<'_>) -> bool {
        false
    }

    /// A guest's text of which it is to be found out whether it is quick.
    fn text(&self) -> Option<&str> {
        None
    }

    /// Whom it is charged to, if not to the component that serves.
    fn meter(&self) -> Option<&Arc<dyn StatementMeter>> {
        None
    }

    /// Run it on SQLite. It may be run again if the transaction is lost after it has answered.
    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError>;
}

/// An operation of a run without effect. What a text does cannot be told from how it begins, so the database refuses what
/// writes.
pub(crate) struct ReadOnly<O> {
    pub(crate) operation: O,
    /// Whoever tries a version without effect pays for it, and not the component that serves.
    pub(crate) meter: Option<Arc<dyn StatementMeter>>,
}

impl<O: Operation> Operation for ReadOnly<O> {
    type Output = O::Output;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn long_time(&self, limits: &StorageLimits) -> Option<Duration> {
        self.operation.long_time(limits)
    }

    fn is_quick(&self, scope: &Scope<'_>) -> bool {
        self.operation.is_quick(scope)
    }

    fn text(&self) -> Option<&str> {
        self.operation.text()
    }

    fn meter(&self) -> Option<&Arc<dyn StatementMeter>> {
        self.meter.as_ref()
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        // What turns out to write on a connection that cannot comes again on the one that can.
        if scope.read_only { self.operation.run(scope) } else { Err(StorageError::Denied(MAY_WRITE.to_owned())) }
    }
}
