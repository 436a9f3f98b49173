//! The host's own tables in a component's database, and how they come to be. Their version is SQLite's
//! `user_version`; a file of a later version is refused, an earlier one is upgraded step by step. And what is looked at
//! when a migration or a guest has changed its own part of the schema.

use rusqlite::Connection;

use super::scope::Scope;
use crate::error::StorageError;

/// `application_id` of our files: "Hull".
pub(super) const APPLICATION_ID: u32 = 0x4875_6c6c;
/// The version of the tables below.
pub(super) const VERSION: u32 = 1;

/// One step per version, from nothing.
const STEPS: [&str; VERSION as usize] = ["CREATE TABLE hull_kv (
        store TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (store, key)
    );
    -- AUTOINCREMENT, so that a place in the order of commits is never used twice.
    CREATE TABLE hull_outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        due_ms INTEGER NOT NULL,
        id TEXT NOT NULL,
        subject TEXT NOT NULL,
        time TEXT NOT NULL,
        headers TEXT NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE INDEX hull_outbox_due ON hull_outbox (due_ms, seq);
    CREATE TABLE hull_handled (
        id TEXT NOT NULL,
        source TEXT NOT NULL,
        content_hash BLOB NOT NULL,
        handled_ms INTEGER NOT NULL,
        PRIMARY KEY (id, source)
    ) WITHOUT ROWID;
    CREATE TABLE hull_attempts (
        id TEXT NOT NULL,
        source TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        reason TEXT NOT NULL,
        failed_ms INTEGER NOT NULL,
        PRIMARY KEY (id, source)
    ) WITHOUT ROWID;
    CREATE TABLE hull_dead_letters (
        letter INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,
        id TEXT NOT NULL,
        source TEXT NOT NULL,
        content_hash BLOB NOT NULL,
        subject TEXT NOT NULL,
        time TEXT NOT NULL,
        headers TEXT NOT NULL,
        payload BLOB NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        died_ms INTEGER NOT NULL,
        UNIQUE (id, source, content_hash, kind)
    );
    CREATE TABLE hull_migrations (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        applied_ms INTEGER NOT NULL
    );"];

/// How many tables, indexes, views and triggers a component may have: every connection keeps them in memory.
const OBJECTS_MAX: i64 = 1000;
/// How long their texts may be together, in bytes.
const SCHEMA_BYTES_MAX: i64 = 1 << 20;

/// Names of the host's tables, to tell them from ones that a guest has made.
const TABLES: [&str; 6] =
    ["hull_attempts", "hull_dead_letters", "hull_handled", "hull_kv", "hull_migrations", "hull_outbox"];

/// Bring the tables from `version` to [`VERSION`], in the transaction that is open.
pub(super) fn upgrade(connection: &Connection, version: u32) -> rusqlite::Result<()> {
    for step in STEPS.iter().skip(version as usize) {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)
}

/// What the authorizer does not see: a rename to a reserved name, a foreign key to one of the host's tables, which
/// would let a guest's row hold on to the host's, and how large the schema is.
pub(super) fn check_schema(scope: &Scope<'_>) -> Result<(), StorageError> {
    let failed = |error| scope.host_failure(&error);
    let sql = "SELECT name FROM sqlite_schema WHERE name LIKE 'hull\\_%' ESCAPE '\\' \
               AND type IN ('table', 'view', 'trigger') ORDER BY name";
    let mut statement = scope.host(sql)?;
    let names: rusqlite::Result<Vec<String>> = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
    if names.map_err(failed)? != TABLES {
        return Err(StorageError::Denied("names that begin with hull_ belong to the host".to_owned()));
    }
    let sql = "SELECT m.name FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f \
               WHERE m.type = 'table' AND f.\"table\" LIKE 'hull\\_%' ESCAPE '\\'";
    if scope.host(sql)?.exists([]).map_err(failed)? {
        return Err(StorageError::Denied("a foreign key may not refer to the host's tables".to_owned()));
    }
    let sql = "SELECT count(*), coalesce(sum(length(sql)), 0) FROM sqlite_schema \
               WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               AND tbl_name NOT LIKE 'hull\\_%' ESCAPE '\\'";
    let (objects, bytes): (i64, i64) =
        scope.host(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    if objects > OBJECTS_MAX || bytes > SCHEMA_BYTES_MAX {
        return Err(StorageError::Denied(format!(
            "a component has {OBJECTS_MAX} tables, indexes, views and triggers at most, whose texts have \
             {SCHEMA_BYTES_MAX} bytes at most; this would make {objects} with {bytes} bytes"
        )));
    }
    Ok(())
}
