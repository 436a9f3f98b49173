//! A component's private database: key-value, SQL, outbox, handled events and migrations in one place, so that one
//! transaction covers them. The backend is behind the same types; guests never see which one it is.
//!
//! [`Database`] is the handle of a component, [`Session`] what one invocation holds of it. [`Outbox`] and [`Ledger`]
//! are for the relay and for whoever delivers events.

mod allowance;
mod backend;
mod database;
mod error;
mod event;
mod ledger;
mod migrations;
mod operation;
mod options;
mod outbox;
mod overlay;
mod postgres;
mod session;
mod sqlite;
mod state_dir;
mod unit_state;
mod value;
mod waiters;

pub use database::{Database, Statistics};
pub use error::{ConstraintKind, StorageError};
pub use event::{
    DeadLetter, DeadLetterFilter, DeadLetterKind, EventIdentity, EventState, Finished, OutboxRow, OutgoingEvent,
    StoredDeadLetter,
};
pub use ledger::Ledger;
pub use migrations::{
    Applied, Dialect, MIGRATION_BYTES_MAX, MIGRATIONS_MAX, Migration, MigrationFile, migration_files,
};
pub use options::{
    BATCH_KEYS_MAX, DatabaseOptions, KEY_BYTES_MAX, MeteredWork, PAGE_KEYS_MAX, PARAMETERS_MAX, SQL_BYTES_MAX,
    Sabotage, StatementMeter, StorageLimits,
};
pub use outbox::Outbox;
pub use postgres::{PostgresServer, Purge};
pub use session::{Session, SessionOptions};
pub use state_dir::{ComponentDir, StateDir, StateDirError};
pub use value::{KeyPage, ResultSet, Swapped, Value};
