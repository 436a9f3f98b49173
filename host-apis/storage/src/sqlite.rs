//! The SQLite backend: a file per component, one thread that writes, a few connections that read.

mod batch;
mod carried;
mod connection;
mod control;
mod events;
mod failure;
mod functions;
mod glance;
mod guard;
mod job;
mod keyvalue;
mod migrate;
mod outbox;
mod point;
mod readers;
mod schema;
mod scope;
mod statement;
mod statistics;
mod unit;
mod watch;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use batch::Unit;
pub(crate) use carried::Carried;
pub(crate) use connection::Place;
pub(crate) use events::{
    Bury, DeleteDeadLetter, GetDeadLetter, ListDeadLetters, Mark, PAGE_LETTERS_MAX, PRUNE_CHUNK, Prune, RecordFailure,
    StatesOf,
};
use job::JobOf;
pub(crate) use keyvalue::{DeleteMany, Exists, Get, GetMany, Increment, ListKeys, SetMany, Swap};
pub(crate) use migrate::{AppliedMigrations, Migrate, in_migration, sha256_text};
pub(crate) use outbox::{BYTES_MAX as OUTBOX_BYTES_MAX, Next, NextDue, Publish, ROWS_MAX as OUTBOX_ROWS_MAX, Remove};
use readers::{Read, until};
pub(crate) use scope::Scope;
pub(crate) use statement::{Execute, Query};
pub(crate) use statistics::{Check, Measure, Measured};
pub(crate) use unit::UnitClient;
use writer::Shared;

use crate::allowance::Cancel;
use crate::error::StorageError;
use crate::operation::{Growth, Operation};
use crate::options::StorageLimits;

/// How large a page is in files that we make.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// See the module.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) shared: Arc<Shared>,
}

/// Reads nothing: to have the file opened.
struct Open;

impl Operation for Open {
    type Output = ();

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, _: &Scope<'_>) -> Result<(), StorageError> {
        Ok(())
    }
}

impl Backend {
    pub(crate) fn new(place: Place, limits: StorageLimits) -> Self {
        Self { shared: Arc::new(Shared::new(place, limits)) }
    }

    pub(crate) fn limits(&self) -> Arc<StorageLimits> {
        Arc::clone(&self.shared.limits.read())
    }

    pub(crate) fn set_limits(&self, limits: StorageLimits) {
        *self.shared.limits.write() = Arc::new(limits);
    }

    pub(crate) fn place(&self) -> &Place {
        &self.shared.place
    }

    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting()
    }

    pub(crate) fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.shared.open.load(Ordering::Acquire)
    }

    /// Run an operation by itself and commit it.
    pub(crate) async fn write<O: Operation>(
        &self,
        operation: O,
        deadline: Option<Instant>,
    ) -> Result<O::Output, StorageError> {
        let cancel = Cancel::default();
        let armed = cancel.on_drop();
        let (job, mut answer, claim) = JobOf::new(operation, deadline, &cancel);
        self.shared.submit(Unit::Single(job))?;
        let answer = match until(deadline, &mut answer).await {
            Ok(answer) => answer,
            Err(late) if claim.give_up() => return Err(late),
            Err(_) => answer.await,
        };
        armed.disarm();
        answer.unwrap_or_else(|_| Err(self.lost()))
    }

    /// Run an operation on what is committed; one that turns out to write is committed by itself.
    pub(crate) async fn read<O: Operation>(
        &self,
        operation: O,
        deadline: Option<Instant>,
    ) -> Result<O::Output, StorageError> {
        if !self.is_open() {
            self.write(Open, deadline).await?;
        }
        match readers::read(&self.shared, operation, deadline).await? {
            Read::Done(result) => result,
            Read::Writes(operation) => self.write(operation, deadline).await,
        }
    }

    /// Queue a new unit of work; its first command goes in before, so that the writer finds it there. `of_handler` is
    /// whether it is the unit of the handler that is polled here: then the writer may carry that one.
    pub(crate) fn begin<R>(
        &self,
        of_handler: bool,
        first: impl FnOnce(&UnitClient) -> Result<R, StorageError>,
    ) -> Result<(UnitClient, R), StorageError> {
        let ride = if of_handler { carried::riding() } else { None };
        let (client, server) = unit::unit(ride);
        let answer = first(&client)?;
        self.shared.submit(Unit::Interactive(server))?;
        Ok((client, answer))
    }

    /// Take no more work, and wait until what was queued is done and the file is closed.
    pub(crate) async fn close(&self) {
        let ended = self.shared.ended.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        if self.shared.close() && self.shared.is_running() {
            ended.await;
        }
    }

    fn lost(&self) -> StorageError {
        StorageError::Closed(self.shared.place.component.to_string())
    }
}
