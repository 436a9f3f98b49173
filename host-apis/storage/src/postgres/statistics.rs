//! What status and metrics want to know of a component's tables.

use super::operation::{OnPostgres, Runs};
use super::scope::{Scope, column};
use crate::error::StorageError;
use crate::sqlite::{Check, Measure, Measured};

impl OnPostgres for Measure {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Measured, StorageError> {
        let sql = "SELECT {}.hull_bytes(), (SELECT count(*) FROM {}.hull_outbox), \
                   (SELECT count(*) FROM {}.hull_dead_letters)";
        let Some(row) = scope.host_row(sql, &[]).await? else { return Ok(Measured::default()) };
        let number = |at| column::<i64>(&row, at).map(|number| number as u64);
        Ok(Measured { bytes_used: number(0)?, outbox_rows: number(1)?, dead_letters: number(2)? })
    }
}

impl OnPostgres for Check {
    const RUNS: Runs = Runs::AsHost;

    /// Whether its pages are whole is the server's to say.
    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<(), StorageError> {
        scope.host("SELECT count(*) FROM {}.hull_kv", &[]).await.map(drop)
    }
}
