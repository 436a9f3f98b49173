//! The host's own tables in a component's database, and how they come to be. Their version is SQLite's
//! `user_version`; a file of a later version is refused, an earlier one is upgraded step by step.

use rusqlite::Connection;

/// `application_id` of our files: "Hull".
pub(super) const APPLICATION_ID: u32 = 0x4875_6c6c;
/// The version of the tables below.
pub(super) const VERSION: u32 = 1;

/// One step per version, from nothing.
const STEPS: [&str; VERSION as usize] = [
    "CREATE TABLE hull_kv (
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
    );",
];

/// Names of the host's tables, to tell them from ones that a guest has made.
pub(super) const TABLES: [&str; 6] =
    ["hull_attempts", "hull_dead_letters", "hull_handled", "hull_kv", "hull_migrations", "hull_outbox"];

/// Bring the tables from `version` to [`VERSION`], in the transaction that is open.
pub(super) fn upgrade(connection: &Connection, version: u32) -> rusqlite::Result<()> {
    for step in STEPS.iter().skip(version as usize) {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)
}
