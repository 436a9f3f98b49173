//! Where the unit of work of a session stands, and what that means for the next call.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::database::Database;
use crate::error::StorageError;
use crate::event::Finished;
use crate::session::SessionOptions;
use crate::sqlite::UnitClient;

/// What the clones of a session share.
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) options: SessionOptions,
    pub(crate) state: Mutex<State>,
}

/// Where the session's unit of work stands.
pub(crate) enum State {
    /// Each call commits by itself.
    Outside,
    /// A unit was begun; the writer is taken with its first access.
    Begun,
    /// The writer has it, or it waits for the writer.
    Open(Arc<UnitClient>),
    /// The host ended it; the guest has not been told by commit or rollback yet.
    Ended(StorageError),
}

/// How an operation is to be run.
pub(crate) enum Entry {
    Outside,
    First,
    Inside(Arc<UnitClient>),
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
                StorageError::Expired(_) | StorageError::Conflict => error.clone(),
                other => StorageError::Expired(other.to_string()),
            });
            self.options.frame.set_unit_open(false);
        }
    }

    /// Not bounded by the deadline: an error says that nothing happened, so the writer has to have spoken. It does so
    /// after one more unit at the most.
    pub(crate) async fn end_of(
        &self,
        end: oneshot::Receiver<Result<Finished, StorageError>>,
        unit: &UnitClient,
    ) -> Result<Finished, StorageError> {
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

