//! The bounds of a database and what its owner can hook into it.

use std::sync::Arc;
use std::time::Duration;

use hull_invocation::{ComponentId, CountRejected};

use crate::error::StorageError;

/// The longest key of the key-value store, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// How many keys one batch call of the key-value store may name.
pub const BATCH_KEYS_MAX: usize = 1000;
/// How many keys one page of a listing has.
pub const PAGE_KEYS_MAX: usize = 1000;
/// The longest SQL text, in bytes.
pub const SQL_BYTES_MAX: usize = 256 * 1024;
/// How many parameters a statement may have.
pub const PARAMETERS_MAX: usize = 1000;

/// The largest reserve, in bytes: some hundred thousand marks.
const RESERVE_BYTES_MAX: u64 = 64 << 20;
/// Which part of a small quota the reserve is.
const RESERVE_PART: u64 = 4;

/// The bounds on one component's storage. They may change while the database is open, with a new revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageLimits {
    /// Bytes that the database may take with everything in it: `limits.storage`.
    pub storage_bytes: u64,
    /// The largest value, in bytes: `limits.value-max`.
    pub value_bytes_max: usize,
    /// How long one statement may run: `limits.statement.time`.
    pub statement_time: Duration,
    /// How many rows one result may have: `limits.statement.rows-max`.
    pub rows_max: u32,
    /// How many bytes one result may have.
    pub result_bytes_max: usize,
    /// How long a unit of work may hold the writer: `limits.transaction-time`.
    pub transaction_time: Duration,
    /// How long one migration may run.
    pub migration_time: Duration,
    /// How many units may wait for the writer.
    pub queue_length_max: usize,
    /// How many statements may read at once outside units.
    pub readers_max: usize,
    /// How many connections to a PostgreSQL server it may use at once; fixed when the handle is made.
    pub connections_max: usize,
    /// How many units may share one commit.
    pub batch_units_max: usize,
    /// How long a unit that is ready may wait for others to share its commit with.
    pub batch_wait_max: Duration,
    /// After how long without use the files are closed and the thread ends.
    pub idle_time: Duration,
}

impl Default for StorageLimits {
    fn default() -> Self {
        Self {
            storage_bytes: 256 << 20,
            value_bytes_max: 1 << 20,
            statement_time: Duration::from_secs(1),
            rows_max: 10_000,
            result_bytes_max: 16 << 20,
            transaction_time: Duration::from_secs(1),
            migration_time: Duration::from_mins(1),
            queue_length_max: 1024,
            readers_max: 4,
            connections_max: 16,
            batch_units_max: 64,
            batch_wait_max: Duration::from_millis(2),
            idle_time: Duration::from_secs(30),
        }
    }
}

impl StorageLimits {
    /// Bytes of the quota that only the outbox, marks and other tables of the host may take, so that a component that
    /// has filled the rest can finish what it has accepted.
    pub fn reserve_bytes(&self) -> u64 {
        RESERVE_BYTES_MAX.min(self.storage_bytes / RESERVE_PART)
    }
}

/// Is told of a component's work on its database.
pub trait StatementMeter: Send + Sync + 'static {
    /// Work begins on this thread. What is returned is dropped when it is over, on the same thread.
    fn begin(&self) -> Box<dyn MeteredWork>;

    /// Whether a read of some microseconds may run on the thread that asks for it. It is not metered: whoever meters
    /// that thread sees it.
    fn may_glance(&self) -> bool;
}

/// Work that goes on.
pub trait MeteredWork: Send {
    /// Called every few thousand steps of the database's machine, on the thread that works. It may charge the component
    /// for the time used, and may hold the thread until it is the component's turn again, for some milliseconds at a
    /// time: between two calls the work's own bounds are looked at.
    fn step(&mut self);
}

/// A promise that is broken on purpose, so that the tests that look for broken ones can be seen to find them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// That an event was handled is never written down, so that every delivery of it has its effects.
    HandledMarks,
    /// Events leave the outbox before the bus holds them.
    Outbox,
}

/// What a database is opened with.
#[derive(Clone)]
pub struct DatabaseOptions {
    /// Whose database it is.
    pub component: ComponentId,
    /// Its bounds.
    pub limits: StorageLimits,
    /// Who is told of running statements.
    pub meter: Option<Arc<dyn StatementMeter>>,
    /// Who counts what was refused for a bound.
    pub rejected: Option<Arc<dyn CountRejected>>,
    /// Only for the tests of those who look for broken promises.
    pub sabotage: Option<Sabotage>,
}

impl DatabaseOptions {
    /// The default bounds, no meter, nobody who counts, and every promise kept.
    pub fn new(component: ComponentId) -> Self {
        Self { component, limits: StorageLimits::default(), meter: None, rejected: None, sabotage: None }
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), StorageError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(StorageError::Invalid(format!("a key has 1 to {KEY_BYTES_MAX} bytes, not {}", key.len())));
    }
    Ok(())
}

pub(crate) fn check_batch(keys: usize) -> Result<(), StorageError> {
    if keys > BATCH_KEYS_MAX {
        return Err(StorageError::Invalid(format!("a batch names {BATCH_KEYS_MAX} keys at most, not {keys}")));
    }
    Ok(())
}
