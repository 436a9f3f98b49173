//! Why a component could not be fetched.

use std::io;
use std::time::Duration;

use http::StatusCode;

/// A component could not be fetched. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
#[error("{from}: {why}")]
pub struct FetchFailed {
    /// Where it should have come from.
    pub from: String,
    /// What went wrong.
    pub why: Why,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// Nobody is there, or they are not who they should be.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// Whom.
        host: String,
        /// Why.
        why: String,
    },
    /// There was an answer, and it is not what was asked for.
    #[error("{what} was answered with {status}{hint}")]
    Status {
        /// What was asked for.
        what: String,
        /// The answer.
        status: StatusCode,
        /// What might mend it.
        hint: &'static str,
    },
    /// More comes than is taken.
    #[error("{what} has more than {bytes_max} bytes, and no more are taken")]
    TooLarge {
        /// What.
        what: String,
        /// The bound.
        bytes_max: u64,
    },
    /// Nothing comes, or not all of it.
    #[error("{0}")]
    BrokeOff(String),
    /// It takes too long.
    #[error("it took longer than {0:?}")]
    TookTooLong(Duration),
    /// It leads where it must not.
    #[error("it leads to {to}, {why}; nothing was asked there")]
    Redirect {
        /// Where.
        to: String,
        /// Why that is refused.
        why: &'static str,
    },
    /// Other bytes came than were meant.
    #[error("what came is sha256:{found}, and {wanted} was meant: it was changed, or the digest is another file's")]
    WrongDigest {
        /// What was meant.
        wanted: String,
        /// What came, in hexadecimal digits.
        found: String,
    },
    /// The registry says something that cannot be used.
    #[error("{0}")]
    Registry(String),
    /// What was fetched cannot be kept.
    #[error("the folder {folder} for what was fetched: {source}")]
    Cache {
        /// The folder.
        folder: String,
        /// Why.
        source: io::Error,
    },
}
