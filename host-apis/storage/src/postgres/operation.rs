//! An operation as this backend runs it, on the host's connection or on one that logs in as the component.

use crate::error::StorageError;
use crate::operation::Operation;

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
