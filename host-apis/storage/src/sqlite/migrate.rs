//! Migrations: run in order, each in a transaction of its own together with the line that says it was run.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::schema::check_schema;
use super::scope::Scope;
use super::statement::run_script;
use crate::error::StorageError;
use crate::migrations::{Applied, Migration};
use crate::operation::{Growth, Operation};
use crate::options::StorageLimits;

/// Which migrations have run.
pub(crate) struct AppliedMigrations;

impl Operation for AppliedMigrations {
    type Output = Vec<Applied>;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        let mut statement = scope.host("SELECT number, name, sha256 FROM hull_migrations ORDER BY number")?;
        let applied: rusqlite::Result<Vec<_>> = statement
            .query_map([], |row| Ok(Applied { number: row.get(0)?, name: row.get(1)?, sha256: row.get(2)? }))
            .and_then(Iterator::collect);
        applied.map_err(|error| scope.host_failure(&error))
    }
}

/// Run one migration. Nothing happens if another run of the host has just applied it.
pub(crate) struct Migrate(pub(crate) Migration);

impl Operation for Migrate {
    type Output = ();

    fn growth(&self) -> Growth {
        Growth::Guest
    }

    fn long_time(&self, limits: &StorageLimits) -> Option<Duration> {
        Some(limits.migration_time)
    }

    fn run(&self, scope: &Scope<'_>) -> Result<(), StorageError> {
        let migration = &self.0;
        let sql = "INSERT INTO hull_migrations (number, name, sha256, applied_ms) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO NOTHING";
        let now_ms = hull_clock::unix_ms() as i64;
        let sha256 = sha256_text(&migration.sql);
        if scope.host_execute(sql, (migration.number, &migration.name, sha256, now_ms))? == 0 {
            return Ok(());
        }
        scope.schema_changed.set(true);
        let ran = run_script(scope, &migration.sql).and_then(|()| check_schema(scope));
        ran.map_err(|error| in_migration(migration, error))
    }
}

/// A migration's digest, as it is kept and shown.
pub(crate) fn sha256_text(sql: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(sql.as_bytes()).into();
    hull_invocation::VersionId::from_digest(digest).to_string()
}

/// An error of a migration, with its name.
pub(crate) fn in_migration(migration: &Migration, error: StorageError) -> StorageError {
    let text = format!("migration {}_{}: {error}", migration.number, migration.name);
    match error {
        StorageError::Denied(_) => StorageError::Denied(text),
        StorageError::Invalid(_) | StorageError::Constraint { .. } => StorageError::Invalid(text),
        StorageError::Timeout(_) => StorageError::Timeout(text),
        other => other,
    }
}
