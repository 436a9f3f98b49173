//! Migrations: run in order, each in a transaction of its own together with the line that says it was run, as the
//! component's own role: what it makes is the component's.

use tokio_postgres::types::Type;

use super::operation::{OnPostgres, Runs};
use super::scope::{Scope, column};
use super::statement::run_script;
use crate::error::StorageError;
use crate::migrations::Applied;
use crate::operation::Operation;
use crate::sqlite::{AppliedMigrations, Migrate, in_migration, sha256_text};

impl OnPostgres for AppliedMigrations {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Vec<Applied>, StorageError> {
        let rows = scope.host("SELECT number, name, sha256 FROM {}.hull_migrations ORDER BY number", &[]).await?;
        rows.iter()
            .map(|row| {
                let number: i64 = column(row, 0)?;
                Ok(Applied { number: number as u32, name: column(row, 1)?, sha256: column(row, 2)? })
            })
            .collect()
    }
}

impl OnPostgres for Migrate {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<(), StorageError> {
        let migration = &self.0;
        let before = scope.before_growth(self.growth()).await?;
        let (number, now_ms) = (i64::from(migration.number), hull_clock::unix_ms() as i64);
        let sha256 = sha256_text(&migration.sql);
        let sql = "SELECT {}.hull_migrated($1, $2, $3, $4, $5)";
        // Whoever runs the same one at the same time waits here until it is committed.
        let row = scope
            .host_row(
                sql,
                &[
                    (&scope.opened.key, Type::BYTEA),
                    (&number, Type::INT8),
                    (&migration.name, Type::TEXT),
                    (&sha256, Type::TEXT),
                    (&now_ms, Type::INT8),
                ],
            )
            .await?;
        if !row.map_or(Ok(false), |row| column(&row, 0))? {
            return Ok(());
        }
        let ran = run_script(scope, &migration.sql).await;
        scope.link.forget_statements();
        ran.map_err(|error| in_migration(migration, error))?;
        scope.after_growth(self.growth(), before, u64::MAX, migration.sql.len() as u64).await
    }
}
