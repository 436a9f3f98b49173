//! Where the unit of work of a session stands, and what that means for the next call.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::backend::{End, Unit};
use crate::database::Database;
use crate::error::StorageError;
use crate::event::Finished;
use crate::overlay::Overlay;
use crate::session::SessionOptions;

/// What the clones of a session share.
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) options: SessionOptions,
    pub(crate) state: Mutex<State>,
    /// Where everything goes that a run without effect writes.
    pub(crate) overlay: Option<Overlay>,
}

/// Where the session's unit of work stands.
pub(crate) enum State {
    /// Each call commits by itself.
    Outside,
    /// A unit was begun; the writer is taken with its first access.
    Begun,
    /// The writer has it, or it waits for the writer.
    Open(Arc<Unit>),
    /// The host ended it; the guest has not been told by commit or rollback yet.
    Ended(StorageError),
}

/// How an operation is to be run.
pub(crate) enum Entry {
    Outside,
    First,
    Inside(Arc<Unit>),
}

impl Inner {
    pub(crate) fn enter(&self) -> Result<Entry, StorageError> {
        let entry = match &*self.state.lock() {
            State::Outside => Entry::Outside,
            State::Begun => Entry::First,
            State::Open(unit) => Entry::Inside(Arc::clone(unit)),
            State::Ended(reason) => return Err(reason.clone()),
        };
        if !matches!(entry, Entry::Inside(_)) {
            self.check_chain()?;
        }
        Ok(entry)
    }

    pub(crate) fn check_chain(&self) -> Result<(), StorageError> {
        if self.options.frame.would_deadlock() { Err(StorageError::WouldDeadlock) } else { Ok(()) }
    }

    /// Take the unit out of the state.
    pub(crate) fn leave(&self) -> State {
        std::mem::replace(&mut *self.state.lock(), State::Outside)
    }

    pub(crate) fn end_unit(&self, error: &StorageError) {
        let mut state = self.state.lock();
        if matches!(*state, State::Open(_)) {
            *state = State::Ended(match error {
                StorageError::Expired(_)
                | StorageError::Conflict
                | StorageError::Closed(_)
                | StorageError::Corrupt { .. } => error.clone(),
                other => StorageError::Expired(other.to_string()),
            });
            self.options.frame.set_unit_open(false);
        }
    }

    /// Not bounded by the deadline: an error says that nothing happened, so the writer has to have spoken. It does so
    /// after one more unit at the most.
    pub(crate) async fn end_of(&self, end: End, unit: &Unit) -> Result<Finished, StorageError> {
        end.await.unwrap_or_else(|_| Err(unit.reason()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.options.frame.set_unit_open(false);
    }
}

/// The unit is over, however waiting for its end ends.
pub(crate) struct Closing<'a>(pub(crate) &'a Inner);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.options.frame.set_unit_open(false);
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hull_invocation::{ComponentId, Event, EventKey, Lineage};

    use crate::database::Database;
    use crate::error::StorageError;
    use crate::event::EventIdentity;
    use crate::options::DatabaseOptions;
    use crate::session::SessionOptions;
    use crate::state_dir::ComponentDir;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_unit_remembers_that_a_conflict_ended_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let component = ComponentId::new("shop", "orders");
        let directory = ComponentDir::unowned(folder.path()).expect("a folder");
        let database = Database::new(&directory, DatabaseOptions::new(component.clone()));
        let event = Event {
            key: EventKey { source: "/shop/carts".to_owned(), id: "1".to_owned() },
            subject: "carts.paid".to_owned(),
            time: String::new(),
            headers: Vec::new(),
            payload: bytes::Bytes::new(),
        };
        for error in [StorageError::Conflict, StorageError::Expired("late".to_owned())] {
            let session = database.session(SessionOptions {
                frame: Arc::clone(Lineage::root(component.clone()).frame()),
                deadline: hull_clock::now() + Duration::from_secs(30),
                event: Some(EventIdentity::of(&event)),
                expects_reply: false,
            });
            session.set("k".to_owned(), Vec::new()).await.expect("set");
            assert!(!session.met_conflict());
            session.inner.end_unit(&error);
            assert_eq!(session.met_conflict(), error == StorageError::Conflict);
            assert_eq!(session.set("k".to_owned(), Vec::new()).await, Err(error.clone()));
            session.abandon();
            assert_eq!(session.finish_event().await, Err(error), "giving up does not change why it ended");
        }
    }
}
