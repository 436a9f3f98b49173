//! Migrations: run in order, each in a transaction of its own together with the line that says it was run.

use sha2::{Digest, Sha256};

use super::scope::Scope;
use super::schema::TABLES;
use super::statement::run_script;
use crate::error::StorageError;
use crate::migrations::{Applied, Migration};
use crate::operation::{Growth, Operation};

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
        run_script(scope, &migration.sql).map_err(|error| in_migration(migration, error))?;
        check_reserved_names(scope)
    }
}

/// A migration's digest, as it is kept and shown.
pub(crate) fn sha256_text(sql: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(sql.as_bytes()).into();
    hull_invocation::VersionId::from_digest(digest).to_string()
}

/// What the authorizer does not see: a rename to a reserved name, and a foreign key to one of the host's tables, which
/// would let a guest's row hold on to the host's.
fn check_reserved_names(scope: &Scope<'_>) -> Result<(), StorageError> {
    let sql = "SELECT name FROM sqlite_schema WHERE name LIKE 'hull\\_%' ESCAPE '\\' \
               AND type IN ('table', 'view', 'trigger') ORDER BY name";
    let mut statement = scope.host(sql)?;
    let names: rusqlite::Result<Vec<String>> =
        statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
    let names = names.map_err(|error| scope.host_failure(&error))?;
    if names != TABLES {
        return Err(StorageError::Denied("names that begin with hull_ belong to the host".to_owned()));
    }
    let sql = "SELECT m.name FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f \
               WHERE m.type = 'table' AND f.\"table\" LIKE 'hull\\_%' ESCAPE '\\'";
    let refers = scope.host(sql)?.exists([]).map_err(|error| scope.host_failure(&error))?;
    if refers {
        return Err(StorageError::Denied("a foreign key may not refer to the host's tables".to_owned()));
    }
    Ok(())
}

fn in_migration(migration: &Migration, error: StorageError) -> StorageError {
    let text = format!("migration {}_{}: {error}", migration.number, migration.name);
    match error {
        StorageError::Denied(_) => StorageError::Denied(text),
        StorageError::Invalid(_) | StorageError::Constraint { .. } => StorageError::Invalid(text),
        StorageError::Timeout(_) => StorageError::Timeout(text),
        other => other,
    }
}
