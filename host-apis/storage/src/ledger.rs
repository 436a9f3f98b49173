//! What whoever delivers events asks and writes outside a handler's own unit of work: is it handled, how often has it
//! failed, where are the dead letters.

use crate::database::Database;
use crate::error::StorageError;
use crate::event::{DeadLetter, DeadLetterFilter, EventIdentity, EventState, StoredDeadLetter, short_reason};
use crate::sqlite::{Bury, DeleteDeadLetter, GetDeadLetter, ListDeadLetters, Prune, RecordFailure, StatesOf};

/// See the module.
#[derive(Clone)]
pub struct Ledger {
    database: Database,
}

impl Ledger {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Run an event's handler to its end. While its unit of work holds the writer of the component's database, that may
    /// be on the writer's thread. Dropping the future ends the handler.
    pub async fn carry<T: Send + 'static>(&self, handling: impl Future<Output = T> + Send + 'static) -> T {
        self.database.backend.carry(handling).await
    }

    /// Of each event, in their order: whether it is handled (compare the digest: another one means that the id was used
    /// twice), dead, and how often it has failed.
    pub async fn states(&self, identities: Vec<EventIdentity>) -> Result<Vec<EventState>, StorageError> {
        if !self.database.exists() {
            return Ok(vec![EventState::default(); identities.len()]);
        }
        self.database.backend.read(StatesOf(identities), None).await
    }

    /// The same of one.
    pub async fn state(&self, identity: &EventIdentity) -> Result<EventState, StorageError> {
        Ok(self.states(vec![identity.clone()]).await?.pop().unwrap_or_default())
    }

    /// A handler was started for it and failed; the number of failed attempts with this one. None if it is handled
    /// after all: its commit came through although nobody heard of it.
    pub async fn record_failure(&self, identity: &EventIdentity, reason: &str) -> Result<Option<u32>, StorageError> {
        let failure = RecordFailure { identity: identity.clone(), reason: reason.to_owned() };
        self.database.backend.write(failure, None).await
    }

    /// Put an event with the dead letters and forget its attempts. One that is there already (a replay that failed)
    /// keeps its id and gets the new reason. None if the event came in and is handled after all.
    pub async fn bury(&self, letter: DeadLetter) -> Result<Option<i64>, StorageError> {
        self.database.backend.write(Bury(letter), None).await
    }

    /// Dead letters with an id above `after`, oldest first, a page at a time.
    pub async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>, StorageError> {
        if !self.database.exists() {
            return Ok(Vec::new());
        }
        // As reasons are kept.
        let kept = |text: &Option<String>| text.as_deref().map(|text| short_reason(text).into_owned());
        let filter = DeadLetterFilter { subject: kept(&filter.subject), reason: kept(&filter.reason) };
        let list = ListDeadLetters { filter, after, limit };
        self.database.backend.read(list, None).await
    }

    /// One dead letter. To replay it, run its handler with a session that has its identity: the commit takes it out
    /// together with writing the mark, so that a replay that is repeated or cut short happens once.
    pub async fn dead_letter(&self, id: i64) -> Result<Option<StoredDeadLetter>, StorageError> {
        if !self.database.exists() {
            return Ok(None);
        }
        self.database.backend.read(GetDeadLetter(id), None).await
    }

    /// Take a dead letter out for good; `false` if it is not there.
    pub async fn delete_dead_letter(&self, id: i64) -> Result<bool, StorageError> {
        self.database.backend.write(DeleteDeadLetter(id), None).await
    }

    /// Forget marks and attempts from before a time, in milliseconds since 1970; how many marks went. The time must
    /// lie before everything that the bus may still deliver. Works in small transactions.
    pub async fn prune(&self, before_ms: u64) -> Result<usize, StorageError> {
        if !self.database.exists() {
            return Ok(0);
        }
        let mut pruned = 0;
        let mut after = (String::new(), String::new());
        loop {
            let (next, count) = self.database.backend.write(Prune { before_ms, after }, None).await?;
            pruned += count;
            match next {
                Some(next) => after = next,
                None => return Ok(pruned),
            }
        }
    }
}
