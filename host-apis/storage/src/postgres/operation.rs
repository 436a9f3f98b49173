//! An operation as this backend runs it, on the host's connection or on one that logs in as the component.

use std::time::Duration;

use crate::error::StorageError;
use crate::operation::{Growth, Operation};
use crate::options::StorageLimits;
use crate::overlay::MAY_WRITE;
use crate::sqlite;

use super::scope::Scope;

/// Whose connection an operation runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// The component's: it may be part of a unit of work.
    AsGuest,
    /// The host's: it never is.
    AsHost,
}

/// See the module.
pub(crate) trait OnPostgres: Operation + Sync {
    /// Whose connection it runs on.
    const RUNS: Runs;

    /// Run it, in a transaction if it writes.
    fn on_postgres(&self, scope: &mut Scope<'_>) -> impl Future<Output = Result<Self::Output, StorageError>> + Send;
}

/// An operation of a run without effect. What a text does cannot be told from how it begins: so the server refuses what
/// writes, and what it lets through is undone.
pub(crate) struct ReadOnly<O>(pub(crate) O);

impl<O: Operation> Operation for ReadOnly<O> {
    type Output = O::Output;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn long_time(&self, limits: &StorageLimits) -> Option<Duration> {
        self.0.long_time(limits)
    }

    fn run(&self, scope: &sqlite::Scope<'_>) -> Result<Self::Output, StorageError> {
        self.0.run(scope)
    }
}

impl<O: OnPostgres> OnPostgres for ReadOnly<O> {
    const RUNS: Runs = O::RUNS;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Self::Output, StorageError> {
        scope.link.send("BEGIN READ ONLY");
        scope.write_refusal = Some(MAY_WRITE);
        let result = self.0.on_postgres(scope).await;
        scope.write_refusal = None;
        scope.link.send("ROLLBACK");
        result
    }
}
