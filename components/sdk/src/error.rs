//! Everything that can end a handler early, and the one place each that turns it into an HTTP answer or into what
//! becomes of an event.

use http::StatusCode;

use crate::bindings::hull::messaging::types::Error as MessagingError;
use crate::bindings::hull::sql::types::{ConstraintKind, Error as SqlError};
use crate::bindings::hull::transactions::transactions::Error as UnitError;
use crate::bindings::wasi::config::store::Error as ConfigError;
use crate::bindings::wasi::keyvalue::atomics::CasError;
use crate::bindings::wasi::keyvalue::store::Error as StoreError;
use crate::event::Outcome;
use crate::logging;
use crate::problem::Problem;

/// What a handler returns instead of an answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client is told this.
    #[error("{}", .0.detail())]
    Problem(Box<Problem>),
    /// Another unit of work got there first: the whole unit can be run again.
    #[error("another unit of work got there first")]
    Conflict,
    /// A rule of the schema refused a statement.
    #[error("the schema refused it: {message}")]
    Constraint {
        /// Which rule.
        kind: ConstraintKind,
        /// The database's own words.
        message: String,
    },
    /// What it needs cannot be reached or is over its limit for now.
    #[error("not available now: {0}")]
    Unavailable(String),
    /// The component's storage is full.
    #[error("the storage is full: {0}")]
    Full(String),
    /// A fault of this service or of its manifest.
    #[error("{0}")]
    Fault(String),
}

/// What handlers return.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// Whether a unique index refused the statement.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Constraint { kind: ConstraintKind::Unique, .. })
    }

    /// What the client is told. Faults are logged here and not told to strangers.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Problem(problem) => *problem,
            Self::Conflict => busy("others changed the same thing at the same time; ask again"),
            Self::Unavailable(why) => {
                logging::warn("http", &why);
                busy("a part that this needs is not available now; ask again")
            }
            Self::Full(why) => {
                logging::error("http", &why);
                Problem::new(StatusCode::INSUFFICIENT_STORAGE, "the storage of this service is full")
            }
            fault @ (Self::Constraint { .. } | Self::Fault(_)) => {
                logging::error("http", &fault.to_string());
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the service failed; its log says why")
            }
        }
    }

    /// What becomes of the event: what may pass is tried again, what cannot become right is set aside.
    pub fn into_outcome(self) -> Outcome {
        match self {
            Self::Problem(problem) => Outcome::Reject(problem.detail().to_owned()),
            Self::Conflict => Outcome::Retry(None),
            other => {
                logging::warn("events", &other.to_string());
                Outcome::Retry(None)
            }
        }
    }
}

fn busy(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Conflict => Self::Conflict,
            SqlError::Constraint(c) => Self::Constraint { kind: c.kind, message: c.message },
            SqlError::QuotaExceeded(why) => Self::Full(why),
            SqlError::Timeout(why) | SqlError::Other(why) => Self::Unavailable(why),
            SqlError::Denied(why) | SqlError::Invalid(why) => Self::Fault(why),
            SqlError::TooManyRows(max) => Self::Fault(format!("a query returned more than {max} rows")),
            SqlError::WouldDeadlock => Self::Fault(DEADLOCK.to_owned()),
        }
    }
}

const DEADLOCK: &str = "this service was called back while its own unit of work was open";

impl From<UnitError> for Error {
    fn from(error: UnitError) -> Self {
        match error {
            UnitError::Conflict => Self::Conflict,
            UnitError::Expired(why) | UnitError::Other(why) => Self::Unavailable(why),
            UnitError::QuotaExceeded(why) => Self::Full(why),
            UnitError::AlreadyOpen => Self::Fault("a unit of work is open already".to_owned()),
            UnitError::WouldDeadlock => Self::Fault(DEADLOCK.to_owned()),
        }
    }
}

impl From<MessagingError> for Error {
    fn from(error: MessagingError) -> Self {
        match error {
            MessagingError::Full(why) => Self::Full(why),
            MessagingError::UnitFailed(why) | MessagingError::Unavailable(why) => Self::Unavailable(why),
            MessagingError::RateLimited(ms) => Self::Unavailable(format!("too many messages; next in {ms} ms")),
            MessagingError::NoResponder => Self::Unavailable("nobody answers on this subject".to_owned()),
            MessagingError::Timeout => Self::Unavailable("no answer came in time".to_owned()),
            MessagingError::TooLarge(max) => Self::Fault(format!("the message is larger than {max} bytes")),
            MessagingError::Denied(why) | MessagingError::Invalid(why) | MessagingError::IdReused(why) => {
                Self::Fault(why)
            }
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchStore => Self::Fault("there is no such key-value store".to_owned()),
            StoreError::AccessDenied => Self::Fault("key_value_stores does not grant this store".to_owned()),
            StoreError::Other(why) => Self::Unavailable(why),
        }
    }
}

impl From<CasError> for Error {
    fn from(error: CasError) -> Self {
        match error {
            CasError::StoreError(error) => error.into(),
            CasError::CasFailed(_) => Self::Conflict,
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Upstream(why) | ConfigError::Io(why) => Self::Unavailable(why),
        }
    }
}
