//! One thing to do with a database. Operations are plain data with their parameters, so that they can wait in a
//! queue, be run again when a shared commit is lost, and be given to another backend.

use std::time::Duration;

use crate::error::StorageError;
use crate::options::StorageLimits;
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

    /// Run it on SQLite. It may be run again if the transaction is lost after it has answered.
    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError>;
}
