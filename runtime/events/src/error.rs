//! What can go wrong when somebody asks this crate for something. What goes wrong with an event is its verdict.

use hull_bus::BusError;
use hull_invocation::{ComponentId, Failure};
use hull_storage::StorageError;

/// Why a request about events was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// Its events are not being handled here.
    #[error("no component {0} is running here")]
    UnknownComponent(ComponentId),
    /// It is between two configurations, or the host ends.
    #[error("{0} is being stopped or replaced, and handles no events at this moment: try again")]
    Changing(ComponentId),
    /// There is no such dead letter; it may have been replayed or purged.
    #[error("{component} has no dead letter {letter} (any more)")]
    UnknownLetter {
        /// Which component.
        component: ComponentId,
        /// The letter's number.
        letter: i64,
    },
    /// The same event is being handled at this moment.
    #[error("{component} is handling the event of dead letter {letter} at this moment: try again")]
    Busy {
        /// Which component.
        component: ComponentId,
        /// The letter's number.
        letter: i64,
    },
    /// The handler could not be started; the letter is what it was.
    #[error("dead letter {letter} could not be tried: {failure}")]
    NotTried {
        /// The letter's number.
        letter: i64,
        /// What was in the way.
        failure: Failure,
    },
    /// The component's database failed.
    #[error("the storage of {component}: {source}")]
    Storage {
        /// Which component.
        component: ComponentId,
        /// What it said.
        source: StorageError,
    },
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}
