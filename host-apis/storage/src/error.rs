//! What can go wrong with a component's storage: one enum, so that each interface for guests maps it once.

use std::path::PathBuf;
use std::time::Duration;

/// Which rule of the schema a statement broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A value that must be unique exists already.
    Unique,
    /// A row refers to one that is not there, or is referred to.
    ForeignKey,
    /// A `CHECK` said no.
    Check,
    /// A column that must have a value has none.
    NotNull,
    /// A trigger's `RAISE`, a type of a strict table, and the rest.
    Other,
}

/// Why a storage operation did not happen. Whatever the variant, nothing of that operation was applied; only an event
/// that was published outside a unit may still go out after a timeout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The statement may not be used here; the text says what would grant it, if anything does.
    #[error("{0}")]
    Denied(String),
    /// The statement, its parameters, a key or a value are not valid.
    #[error("{0}")]
    Invalid(String),
    /// A constraint of the schema refused the statement.
    #[error("{message}")]
    Constraint {
        /// Which kind of rule.
        kind: ConstraintKind,
        /// Which one, for people.
        message: String,
    },
    /// Another unit of work got there first: run the whole unit again.
    #[error("another unit of work got there first; run this one again")]
    Conflict,
    /// The component's own unit of work is open further up this chain of calls.
    #[error("this component has a unit of work open further up the chain of calls: waiting for it would never end")]
    WouldDeadlock,
    /// The statement or the wait for the writer ran past its time.
    #[error("{0}")]
    Timeout(String),
    /// The host ended the unit of work before this call.
    #[error("the unit of work was rolled back: {0}")]
    Expired(String),
    /// A unit of work is open already.
    #[error("a unit of work is open already (in an event handler there always is one)")]
    AlreadyOpen,
    /// `commit` or `rollback` without a unit of work.
    #[error("no unit of work is open")]
    NotOpen,
    /// More rows than a result may have.
    #[error("the result has more than {limit} rows (limits.statement.rows-max); add a LIMIT")]
    TooManyRows {
        /// The bound.
        limit: u32,
    },
    /// More bytes than a result may have.
    #[error("the result has more than {limit_bytes} bytes; select fewer columns or add a LIMIT")]
    ResultTooLarge {
        /// The bound.
        limit_bytes: u64,
    },
    /// The component's storage is full.
    #[error(
        "the storage of {component} is full: {limit_bytes} bytes (limits.storage), a part of which is kept for \
         finishing what it has accepted"
    )]
    QuotaExceeded {
        /// Which component.
        component: String,
        /// The bound.
        limit_bytes: u64,
    },
    /// An event's key was used before with other content.
    #[error("the event {id} of {source_name} was seen before with other content; an id names one event only")]
    IdReused {
        /// The event's source.
        source_name: String,
        /// The event's id.
        id: String,
    },
    /// The bus, or the manifest as it is now, refused an event that had been published.
    #[error("{0}")]
    Refused(String),
    /// More work waits for this database than may wait.
    #[error("{waiting} units of work wait for the database of {component} already; try again later")]
    Overloaded {
        /// Which component.
        component: String,
        /// The bound.
        waiting: usize,
    },
    /// The file is not a database of ours, or is damaged. It is left as it is.
    #[error("{}: {message}", file.display())]
    Corrupt {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The database is being closed.
    #[error("the database of {0} is being closed")]
    Closed(String),
    /// The server that has the database cannot be reached now, or the connection to it was lost.
    #[error("{0}")]
    Unreachable(String),
    /// The database failed; the text is for people.
    #[error("{0}")]
    Other(String),
}

impl StorageError {
    /// Whether what a guest did, or how long it took, is why its unit of work could not be committed, so that running
    /// it again may end the same way for ever. Not so for a conflict, and for a database that cannot be used now.
    pub fn is_by_guest(&self) -> bool {
        match self {
            Self::Denied(_)
            | Self::Invalid(_)
            | Self::Constraint { .. }
            | Self::WouldDeadlock
            | Self::Expired(_)
            | Self::AlreadyOpen
            | Self::NotOpen
            | Self::TooManyRows { .. }
            | Self::ResultTooLarge { .. }
            | Self::QuotaExceeded { .. }
            | Self::IdReused { .. } => true,
            // The only wait left then is the one for the writer.
            Self::Timeout(_)
            | Self::Conflict
            | Self::Refused(_)
            | Self::Overloaded { .. }
            | Self::Corrupt { .. }
            | Self::Closed(_)
            | Self::Unreachable(_)
            | Self::Other(_) => false,
        }
    }

    /// A statement that ran past `limits.statement.time`.
    pub(crate) fn statement_time(limit: Duration) -> Self {
        Self::Timeout(format!("the statement ran longer than {limit:?} (limits.statement.time)"))
    }

    /// The invocation's own deadline passed.
    pub(crate) fn deadline() -> Self {
        Self::Timeout("the invocation's deadline passed while it waited for its database".to_owned())
    }
}
