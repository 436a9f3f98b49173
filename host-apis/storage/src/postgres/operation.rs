//! An operation as this backend runs it, on the host's connection or on one that logs in as the component.

use crate::error::StorageError;
use crate::operation::{Operation, ReadOnly};
use crate::overlay::MAY_WRITE;

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

/// The server refuses what writes, and what it lets through is undone.
impl<O: OnPostgres> OnPostgres for ReadOnly<O> {
    const RUNS: Runs = O::RUNS;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Self::Output, StorageError> {
        scope.link.send("BEGIN READ ONLY");
        scope.write_refusal = Some(MAY_WRITE);
        let result = self.operation.on_postgres(scope).await;
        scope.write_refusal = None;
        scope.link.send("ROLLBACK");
        result
    }
}
