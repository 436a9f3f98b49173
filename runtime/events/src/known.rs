//! What a component's database knows of events that came together: asked for in one go, by whoever needs it first. A look
//! for each event would be a turn of its own at the database, and take longer than many a handler.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use hull_storage::{EventIdentity, EventState, Ledger, StorageError};

/// A look at several events; nothing is asked before somebody waits for it.
#[derive(Clone)]
pub(crate) struct Looking(Shared<BoxFuture<'static, Result<Arc<[EventState]>, StorageError>>>);

/// One of them.
pub(crate) struct Known {
    looking: Looking,
    place: usize,
}

impl Looking {
    /// At these, in this order.
    pub(crate) fn at(ledger: &Ledger, identities: Vec<EventIdentity>) -> Self {
        let ledger = ledger.clone();
        let looking = async move { ledger.states(identities).await.map(Arc::from) };
        Self(looking.boxed().shared())
    }

    /// What is known of the one in this place.
    pub(crate) fn known(&self, place: usize) -> Known {
        Known { looking: self.clone(), place }
    }
}

impl Known {
    /// Wait for it.
    pub(crate) async fn state(self) -> Result<EventState, StorageError> {
        let states = self.looking.0.await?;
        let missing = || StorageError::Other("the database did not answer for every event".to_owned());
        states.get(self.place).copied().ok_or_else(missing)
    }
}
