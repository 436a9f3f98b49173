//! What can go wrong on the bus, as far as its users have to tell it apart.

use std::path::PathBuf;
use std::time::Duration;

/// Why the bus did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// A subject, name, header or setting that the bus cannot carry.
    #[error("the bus cannot take this: {0}")]
    Invalid(String),
    /// The bus refuses what hull.toml says of it. No event is at fault, and none can go out before that is mended.
    #[error("the bus cannot be used: {0}")]
    Configuration(String),
    /// Another host handles this app's events, and its data is there.
    #[error(
        "{app} runs on another host ({owner}), and its data is in SQLite there: stop that host first, or keep the data \
         of all its components in PostgreSQL"
    )]
    Owned {
        /// Which app.
        app: String,
        /// What the other host calls itself.
        owner: String,
    },
    /// The event is larger than the bus takes.
    #[error("an event of {bytes} bytes is larger than the {limit_bytes} bytes that the bus takes")]
    TooLarge {
        /// The event's size with its attributes and headers.
        bytes: usize,
        /// The bound.
        limit_bytes: usize,
    },
    /// The stream holds an event of the same source and id with other content.
    #[error(
        "event {id:?} of {source_name} was published before with other content (sequence {sequence}): use another id"
    )]
    IdReused {
        /// The event's source.
        source_name: String,
        /// The event's id.
        id: String,
        /// The place of the earlier event.
        sequence: u64,
    },
    /// The stream holds as much from this publisher as is free, and some consumer has not acknowledged it yet or it is
    /// too young to drop. Others that hold less can go on.
    #[error(
        "the stream of {app} is full for {publisher}, which holds as much of its {limit} as is free: a consumer is \
         behind or gone (`hull status` shows which), or shorten `retain` in hull.toml's [bus]"
    )]
    Full {
        /// Whose stream.
        app: String,
        /// The event's source.
        publisher: String,
        /// How large the stream may become.
        limit: String,
    },
    /// The bus cannot do it now; trying again later may help.
    #[error("the bus of {app} cannot be used now: {reason}")]
    Unavailable {
        /// Whose stream.
        app: String,
        /// What failed.
        reason: String,
    },
    /// A file of the bus is damaged in a place that a crash cannot explain. It is left as it is.
    #[error(
        "{} is damaged at byte {offset}: {reason}; restore it from a backup, or move it away to go on without its \
         events",
        file.display()
    )]
    Corrupt {
        /// Which file.
        file: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Nobody answers requests on this subject.
    #[error("nobody answers requests on {subject}: is a component with a matching [[trigger.messaging]] deployed?")]
    NoResponder {
        /// The subject asked.
        subject: String,
    },
    /// No answer came in time.
    #[error("no answer on {subject} within {after:?}")]
    Timeout {
        /// The subject asked.
        subject: String,
        /// How long the caller waited.
        after: Duration,
    },
    /// The responder gave no answer.
    #[error("the request on {subject} was not answered: {reason}")]
    Refused {
        /// The subject asked.
        subject: String,
        /// The responder's words.
        reason: String,
    },
    /// As many requests wait for an answer as may.
    #[error("{limit} requests wait for an answer already: try again later")]
    TooManyRequests {
        /// The bound.
        limit: usize,
    },
    /// The bus has been shut down.
    #[error("the bus is shut down")]
    Closed,
}

impl BusError {
    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Full { .. }
            | Self::Unavailable { .. }
            | Self::NoResponder { .. }
            | Self::Timeout { .. }
            | Self::Refused { .. }
            | Self::TooManyRequests { .. }
            | Self::Owned { .. }
            | Self::Closed => true,
            Self::Invalid(_)
            | Self::Configuration(_)
            | Self::TooLarge { .. }
            | Self::IdReused { .. }
            | Self::Corrupt { .. } => false,
        }
    }
}
