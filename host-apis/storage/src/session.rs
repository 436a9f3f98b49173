//! What one invocation holds of its component's database: statements and keys that commit by themselves, and one unit
//! of work at a time. Made for every invocation, so it does nothing before it is used.

use std::sync::Arc;
use std::time::Instant;

use hull_invocation::CallFrame;
use parking_lot::Mutex;

use crate::backend::{Unit, answer_of};
use crate::database::Database;
use crate::error::StorageError;
use crate::event::{EventIdentity, Finished, OutgoingEvent};
use crate::overlay::{MAY_WRITE, Overlay, only_reads};
use crate::postgres::OnPostgres;
use crate::sqlite::{
    DeleteMany, Execute, Exists, Get, GetMany, Increment, ListKeys, Mark, Publish, Query, SetMany, Swap,
};
use crate::unit_state::{Closing, Entry, Inner, State};
use crate::value::{KeyPage, ResultSet, Swapped, Value};

/// What a session is made with.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The invocation's place in its chain of calls.
    pub frame: Arc<CallFrame>,
    /// When the invocation must have ended; no call waits longer.
    pub deadline: Instant,
    /// The event that is being handled: then everything is one unit of work, ended by [`Session::finish_event`].
    pub event: Option<EventIdentity>,
    /// Whether somebody waits for what the handler of the event answers. Without an answer they ask again, under another
    /// id: so an error must not say that nothing happened unless that is known.
    pub expects_reply: bool,
}

/// See the module. Clones are the same session. When the last one is dropped, an open unit of work is rolled back.
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
}

impl Session {
    pub(crate) fn new(database: Database, options: SessionOptions) -> Self {
        let state = if options.event.is_some() { State::Begun } else { State::Outside };
        let overlay = Overlay::of(&options.frame);
        Self { inner: Arc::new(Inner { database, options, state: Mutex::new(state), overlay }) }
    }

    /// The component's database.
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Run a statement that returns rows.
    pub async fn query(&self, sql: String, parameters: Vec<Value>) -> Result<ResultSet, StorageError> {
        let query = Query { sql, parameters };
        let Some(overlay) = self.overlay() else {
            return if query.seems_to_read() { self.read(query).await } else { self.write(query).await };
        };
        if !only_reads(&query.sql) {
            return Err(overlay.denied(MAY_WRITE));
        }
        self.read(query).await.map_err(|error| overlay.noted(error))
    }

    /// Run a statement that returns no rows; how many it changed.
    pub async fn execute(&self, sql: String, parameters: Vec<Value>) -> Result<u64, StorageError> {
        match self.overlay() {
            Some(overlay) => Err(overlay.denied(MAY_WRITE)),
            None => self.write(Execute { sql, parameters }).await,
        }
    }

    /// The value of a key.
    pub async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StorageError> {
        match self.overlay().and_then(|overlay| overlay.value(&key)) {
            Some(written) => Ok(written),
            None => self.read(Get(key)).await,
        }
    }

    /// The values of several keys, in their order.
    pub async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<(String, Vec<u8>)>>, StorageError> {
        let Some(overlay) = self.overlay() else { return self.read(GetMany(keys)).await };
        let mut values = self.read(GetMany(keys.clone())).await?;
        for (key, value) in keys.into_iter().zip(&mut values) {
            if let Some(written) = overlay.value(&key) {
                *value = written.map(|written| (key, written));
            }
        }
        Ok(values)
    }

    /// Whether a key has a value.
    pub async fn exists(&self, key: String) -> Result<bool, StorageError> {
        match self.overlay().and_then(|overlay| overlay.value(&key)) {
            Some(written) => Ok(written.is_some()),
            None => self.read(Exists(key)).await,
        }
    }

    /// A page of keys; go on with the page's cursor.
    pub async fn list_keys(&self, cursor: Option<String>) -> Result<KeyPage, StorageError> {
        if let Some(overlay) = self.overlay().filter(|overlay| overlay.has_written()) {
            return Err(overlay.denied("it listed keys after writing some"));
        }
        self.read(ListKeys(cursor)).await
    }

    /// Give a key a value.
    pub async fn set(&self, key: String, value: Vec<u8>) -> Result<(), StorageError> {
        self.set_many(vec![(key, value)]).await
    }

    /// Give several keys values, all or none.
    pub async fn set_many(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), StorageError> {
        match self.overlay() {
            Some(overlay) => overlay.write(values.into_iter().map(|(key, value)| (key, Some(value))).collect()),
            None => self.write(SetMany(values)).await,
        }
    }

    /// Take a key out; one that is not there is fine.
    pub async fn delete(&self, key: String) -> Result<(), StorageError> {
        self.delete_many(vec![key]).await
    }

    /// Take several keys out, all or none.
    pub async fn delete_many(&self, keys: Vec<String>) -> Result<(), StorageError> {
        match self.overlay() {
            Some(overlay) => overlay.write(keys.into_iter().map(|key| (key, None)).collect()),
            None => self.write(DeleteMany(keys)).await,
        }
    }

    /// Add to a number kept as decimal text; a key without a value counts as 0. The new number.
    pub async fn increment(&self, key: String, delta: i64) -> Result<i64, StorageError> {
        match self.overlay() {
            Some(overlay) => overlay.increment(key.clone(), delta, self.get(key).await?),
            None => self.write(Increment { key, delta }).await,
        }
    }

    /// Replace a value if it is still the expected one (`None`: there is none).
    pub async fn swap(&self, key: String, expected: Option<Vec<u8>>, value: Vec<u8>) -> Result<Swapped, StorageError> {
        match self.overlay() {
            Some(overlay) => overlay.swap(key.clone(), expected.as_deref(), value, self.get(key).await?),
            None => self.write(Swap { key, expected, value }).await,
        }
    }

    /// Publish an event. Inside a unit it goes out when the unit commits. Outside, the call returns once the bus holds
    /// the event, or, for one to be delivered later, once the outbox does. After a timeout it may still go out.
    pub async fn publish(&self, event: OutgoingEvent) -> Result<(), StorageError> {
        if self.overlay().is_some() {
            return Ok(());
        }
        let later = event.deliver_at_ms.is_some_and(|at_ms| at_ms > hull_clock::unix_ms());
        let confirm = !later && matches!(*self.inner.state.lock(), State::Outside);
        let deadline = self.inner.options.deadline;
        let Some(confirmation) = self.write(Publish { event, confirm }).await? else { return Ok(()) };
        let confirmed = tokio::time::timeout_at(deadline.into(), confirmation.wait()).await;
        confirmed.unwrap_or_else(|_| {
            Err(StorageError::Timeout("the bus did not take the event before the invocation's deadline".to_owned()))
        })
    }

    /// Begin a unit of work. The writer is taken with the first access after it.
    pub fn begin(&self) -> Result<(), StorageError> {
        if let Some(overlay) = self.overlay() {
            return overlay.begin();
        }
        self.inner.check_chain()?;
        let mut state = self.inner.state.lock();
        if !matches!(*state, State::Outside) {
            return Err(StorageError::AlreadyOpen);
        }
        *state = State::Begun;
        Ok(())
    }

    /// Commit the unit of work; returns when all of it is durable. After an error nothing of it happened.
    pub async fn commit(&self) -> Result<(), StorageError> {
        if let Some(overlay) = self.overlay() {
            return overlay.end(true);
        }
        if self.inner.options.event.is_some() {
            return Err(StorageError::Denied("the unit of an event handler is committed by the host".to_owned()));
        }
        let unit = match self.inner.leave() {
            State::Outside => return Err(StorageError::NotOpen),
            State::Begun => return Ok(()),
            State::Ended(reason) => return Err(reason),
            State::Open(unit) => unit,
        };
        let _closing = Closing(&self.inner);
        self.inner.end_of(unit.commit(None)?, &unit).await.map(drop)
    }

    /// Undo the unit of work. Undoing one that the host has ended is fine.
    pub async fn rollback(&self) -> Result<(), StorageError> {
        if let Some(overlay) = self.overlay() {
            return overlay.end(false);
        }
        if self.inner.options.event.is_some() {
            return Err(StorageError::Denied("the unit of an event handler is ended by its outcome".to_owned()));
        }
        let unit = match self.inner.leave() {
            State::Outside => return Err(StorageError::NotOpen),
            State::Begun | State::Ended(_) => return Ok(()),
            State::Open(unit) => unit,
        };
        let _closing = Closing(&self.inner);
        match unit.rollback() {
            Ok(end) => self.inner.end_of(end, &unit).await.map(drop),
            // The host was first.
            Err(_) => Ok(()),
        }
    }

    /// Give an open unit of work up without waiting: the guest let go of it, did not accept its event, or has ended.
    /// After the end of a unit nothing happens.
    pub fn abandon(&self) {
        let inner = &self.inner;
        if let Some(overlay) = self.overlay() {
            // Without a unit there is nothing to give up.
            let _ = overlay.end(false);
            return;
        }
        let mut state = inner.state.lock();
        let given_up = match (&*state, &inner.options.event) {
            (State::Ended(_), Some(_)) => return,
            (_, Some(_)) => State::Ended(StorageError::Expired("the event was not accepted".to_owned())),
            (_, None) => State::Outside,
        };
        if let State::Open(unit) = std::mem::replace(&mut *state, given_up) {
            unit.abandon();
        }
        drop(state);
        inner.options.frame.set_unit_open(false);
    }

    /// Whether the unit of work was ended by a conflict: then it is not the guest's fault that it cannot go on.
    pub fn met_conflict(&self) -> bool {
        matches!(*self.inner.state.lock(), State::Ended(StorageError::Conflict))
    }

    /// Whether a unit of work is open.
    pub fn is_unit_open(&self) -> bool {
        match self.overlay() {
            Some(overlay) => overlay.is_unit_open(),
            None => !matches!(*self.inner.state.lock(), State::Outside),
        }
    }

    /// The handler accepted: commit what it did together with the mark that the event is handled. A session without
    /// an event has nothing to finish and gets `NotOpen`.
    pub async fn finish_event(&self) -> Result<Finished, StorageError> {
        let inner = &self.inner;
        let Some(identity) = inner.options.event.clone() else { return Err(StorageError::NotOpen) };
        let ended = StorageError::Expired("the event's unit of work has been finished".to_owned());
        let state = std::mem::replace(&mut *inner.state.lock(), State::Ended(ended));
        match state {
            State::Outside => Err(StorageError::NotOpen),
            State::Ended(reason) => Err(reason),
            State::Begun => {
                inner.check_chain()?;
                inner.database.backend.write(Mark(identity), Some(inner.options.deadline)).await
            }
            State::Open(unit) => {
                let _closing = Closing(inner);
                inner.end_of(unit.commit(Some(identity))?, &unit).await
            }
        }
    }

    fn overlay(&self) -> Option<&Overlay> {
        self.inner.overlay.as_ref()
    }

    async fn read<O: OnPostgres>(&self, operation: O) -> Result<O::Output, StorageError> {
        let (database, deadline) = (&self.inner.database, self.inner.options.deadline);
        match self.inner.enter()? {
            Entry::Outside if self.overlay().is_some() => database.read_only(operation, deadline).await,
            Entry::Outside => database.backend.read(operation, Some(deadline)).await,
            Entry::First => self.first(operation).await,
            Entry::Inside(unit) => self.inside(&unit, operation).await,
        }
    }

    async fn write<O: OnPostgres>(&self, operation: O) -> Result<O::Output, StorageError> {
        let deadline = self.inner.options.deadline;
        match self.inner.enter()? {
            Entry::Outside => self.inner.database.backend.write(operation, Some(deadline)).await,
            Entry::First => self.first(operation).await,
            Entry::Inside(unit) => self.inside(&unit, operation).await,
        }
    }

    /// The first access of a unit begins it, with the operation as its first command.
    async fn first<O: OnPostgres>(&self, operation: O) -> Result<O::Output, StorageError> {
        let inner = &self.inner;
        let deadline = inner.options.deadline;
        inner.options.frame.set_unit_open(true);
        let of_event = inner.options.event.is_some() && !inner.options.expects_reply;
        let begun = inner.database.backend.begin(operation, deadline, of_event);
        let (unit, answer) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                inner.options.frame.set_unit_open(false);
                return Err(error);
            }
        };
        let unit = Arc::new(unit);
        {
            let mut state = inner.state.lock();
            // Given up meanwhile: dropping this side undoes it.
            if !matches!(*state, State::Begun) {
                inner.options.frame.set_unit_open(false);
                return Err(StorageError::Expired("it was given up before it began".to_owned()));
            }
            *state = State::Open(Arc::clone(&unit));
        }
        let result = answer_of::<O>(&unit, answer, deadline).await;
        self.settle(result)
    }

    async fn inside<O: OnPostgres>(&self, unit: &Unit, operation: O) -> Result<O::Output, StorageError> {
        let deadline = self.inner.options.deadline;
        let result = match unit.run(operation, deadline) {
            Ok(answer) => answer_of::<O>(unit, answer, deadline).await,
            Err(error) => Err(error),
        };
        self.settle(result)
    }

    /// An error that ends the unit is remembered, so that later calls say the same.
    fn settle<R>(&self, result: Result<R, StorageError>) -> Result<R, StorageError> {
        if let Err(error) = &result {
            use StorageError as E;
            let ends = matches!(error, E::Expired(_) | E::Conflict | E::Closed(_) | E::Corrupt { .. });
            if ends || hull_clock::now() >= self.inner.options.deadline {
                self.inner.end_unit(error);
            }
        }
        result
    }
}
