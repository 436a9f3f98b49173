//! What a component's database knows of events that came together: asked for in one go, by whoever needs it first. A look
//! for each event would be a turn of its own at the database, and take longer than many a handler.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use hull_storage::{EventIdentity, EventState, Ledger, StorageError};

/// A look at several events; nothing is asked before somebody waits for it.
#[derive(Clone)]
pub(crate) struct Looking {
    states: Shared<BoxFuture<'static, Result<Arc<[EventState]>, StorageError>>>,
    of_many: bool,
}

/// One of them.
pub(crate) struct Known {
    looking: Looking,
    place: usize,
}

impl Looking {
    /// At these, in this order.
    pub(crate) fn at(ledger: &Ledger, identities: Vec<EventIdentity>) -> Self {
        let (ledger, of_many) = (ledger.clone(), identities.len() > 1);
        let looking = async move { ledger.states(identities).await.map(Arc::from) };
        Self { states: looking.boxed().shared(), of_many }
    }

    /// What is known of the one in this place.
    pub(crate) fn known(&self, place: usize) -> Known {
        Known { looking: self.clone(), place }
    }
}

impl Known {
    /// Wait for it. After an error of several it is looked at alone: the error may be about one of the others, which
    /// would keep it back for ever.
    pub(crate) async fn state(self, ledger: &Ledger, identity: &EventIdentity) -> Result<EventState, StorageError> {
        let states = match self.looking.states.await {
            Ok(states) => states,
            Err(_) if self.looking.of_many => return ledger.state(identity).await,
            Err(error) => return Err(error),
        };
        let missing = || StorageError::Other("the database did not answer for every event".to_owned());
        states.get(self.place).copied().ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use hull_invocation::{ComponentId, EventKey};
    use hull_storage::{ComponentDir, Database, DatabaseOptions, EventIdentity, EventState, StorageError};

    use super::Looking;

    #[tokio::test]
    async fn an_error_of_several_is_not_each_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = ComponentDir::unowned(folder.path()).expect("a folder");
        let ledger = Database::new(&directory, DatabaseOptions::new(ComponentId::new("shop", "orders"))).ledger();
        let key = EventKey { source: "/shop/carts".to_owned(), id: "1".to_owned() };
        let identity = EventIdentity { key, content_hash: [0; 32] };
        let error = StorageError::Other("one of them cannot be asked for".to_owned());
        for (of_many, expected) in [(true, Ok(EventState::default())), (false, Err(error.clone()))] {
            let states = std::future::ready(Err(error.clone())).boxed().shared();
            let known = Looking { states, of_many }.known(0);
            assert_eq!(known.state(&ledger, &identity).await, expected);
        }
    }
}
