//! The backends of a component's database behind one type: whoever has an operation does not ask where it runs.

use std::sync::Arc;
use std::time::Instant;

use hull_invocation::ComponentId;
use tokio::sync::{Notify, oneshot};

use crate::error::StorageError;
use crate::event::{EventIdentity, Finished};
use crate::operation::Operation;
use crate::options::{Sabotage, StorageLimits};
use crate::postgres::{self, OnPostgres};
use crate::sqlite::{self, Mark};
use crate::waiters::Waiters;

/// Whoever waits for an operation's answer inside a unit.
pub(crate) type Answer<O> = oneshot::Receiver<Result<<O as Operation>::Output, StorageError>>;
/// Whoever waits for the end of a unit.
pub(crate) type End = oneshot::Receiver<Result<Finished, StorageError>>;

/// See the module.
#[derive(Clone)]
pub(crate) enum Backend {
    Sqlite(sqlite::Backend),
    Postgres(postgres::Backend),
}

/// The invocation's side of a unit of work. Dropping it rolls the unit back, and ends the statement that runs for it.
pub(crate) enum Unit {
    Sqlite(sqlite::UnitClient),
    Postgres(postgres::UnitClient),
}

impl Backend {
    pub(crate) fn component(&self) -> &ComponentId {
        match self {
            Self::Sqlite(backend) => &backend.place().component,
            Self::Postgres(backend) => &backend.shared.component,
        }
    }

    pub(crate) fn sabotage(&self) -> Option<Sabotage> {
        match self {
            Self::Sqlite(backend) => backend.place().sabotage,
            Self::Postgres(backend) => backend.shared.sabotage,
        }
    }

    pub(crate) fn waiters(&self) -> &Arc<Waiters> {
        match self {
            Self::Sqlite(backend) => &backend.shared.waiters,
            Self::Postgres(backend) => &backend.shared.waiters,
        }
    }

    /// Signalled after a commit that put something into the outbox.
    pub(crate) fn outbox_changed(&self) -> &Notify {
        match self {
            Self::Sqlite(backend) => &backend.shared.outbox_changed,
            Self::Postgres(backend) => &backend.shared.outbox_changed,
        }
    }

    pub(crate) fn limits(&self) -> Arc<StorageLimits> {
        match self {
            Self::Sqlite(backend) => backend.limits(),
            Self::Postgres(backend) => Arc::clone(&backend.shared.limits.read()),
        }
    }

    pub(crate) fn set_limits(&self, limits: StorageLimits) {
        match self {
            Self::Sqlite(backend) => backend.set_limits(limits),
            Self::Postgres(backend) => *backend.shared.limits.write() = Arc::new(limits),
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        match self {
            Self::Sqlite(backend) => backend.waiting(),
            Self::Postgres(backend) => backend.waiting(),
        }
    }

    pub(crate) fn commits(&self) -> u64 {
        match self {
            Self::Sqlite(backend) => backend.commits(),
            Self::Postgres(backend) => backend.commits(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Sqlite(backend) => backend.is_open(),
            Self::Postgres(backend) => backend.is_open(),
        }
    }

    /// Whether there is anything to read.
    pub(crate) fn exists(&self) -> bool {
        match self {
            Self::Sqlite(backend) => backend.is_open() || backend.place().file.exists(),
            // Nobody knows before it is asked.
            Self::Postgres(_) => true,
        }
    }

    /// Run an operation by itself and commit it.
    pub(crate) async fn write<O: OnPostgres>(
        &self,
        operation: O,
        deadline: Option<Instant>,
    ) -> Result<O::Output, StorageError> {
        match self {
            Self::Sqlite(backend) => backend.write(operation, deadline).await,
            Self::Postgres(backend) => backend.run(operation, deadline).await,
        }
    }

    /// Run an operation on what is committed; one that turns out to write is committed by itself.
    pub(crate) async fn read<O: OnPostgres>(
        &self,
        operation: O,
        deadline: Option<Instant>,
    ) -> Result<O::Output, StorageError> {
        match self {
            Self::Sqlite(backend) => backend.read(operation, deadline).await,
            Self::Postgres(backend) => backend.run(operation, deadline).await,
        }
    }

    /// Begin a unit of work with its first operation. `of_event` is whether its commit brings the mark
    /// of an event that comes again if nobody hears of it.
    pub(crate) fn begin<O: OnPostgres>(
        &self,
        operation: O,
        deadline: Instant,
        of_event: bool,
    ) -> Result<(Unit, Answer<O>), StorageError> {
        match self {
            Self::Sqlite(backend) => {
                let (unit, answer) = backend.begin(of_event, |unit| unit.run(operation, deadline))?;
                Ok((Unit::Sqlite(unit), answer))
            }
            Self::Postgres(backend) => {
                let (unit, answer) = backend.begin(operation, deadline, of_event)?;
                Ok((Unit::Postgres(unit), answer))
            }
        }
    }

    /// Run an event's handler. One whose unit waits for a thread may be carried by that.
    pub(crate) async fn carry<T: Send + 'static>(&self, handling: impl Future<Output = T> + Send + 'static) -> T {
        match self {
            Self::Sqlite(_) => sqlite::Carried::new(handling).await,
            Self::Postgres(_) => handling.await,
        }
    }

    /// Take no more work, and wait until what was queued is done and all is closed.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(backend) => backend.close().await,
            Self::Postgres(backend) => backend.close().await,
        }
    }
}

impl Unit {
    /// Run an operation inside the unit.
    pub(crate) fn run<O: OnPostgres>(&self, operation: O, deadline: Instant) -> Result<Answer<O>, StorageError> {
        match self {
            Self::Sqlite(unit) => unit.run(operation, deadline),
            Self::Postgres(unit) => unit.run(operation, deadline),
        }
    }

    /// Commit, with the mark of the event that was handled if there is one.
    pub(crate) fn commit(&self, mark: Option<EventIdentity>) -> Result<End, StorageError> {
        match self {
            Self::Sqlite(unit) => unit.commit(mark.map(Mark)),
            Self::Postgres(unit) => unit.commit(mark),
        }
    }

    /// Undo everything.
    pub(crate) fn rollback(&self) -> Result<End, StorageError> {
        match self {
            Self::Sqlite(unit) => unit.rollback(),
            Self::Postgres(unit) => unit.rollback(),
        }
    }

    /// Have it rolled back now, whoever still holds this side.
    pub(crate) fn abandon(&self) {
        match self {
            Self::Sqlite(unit) => unit.abandon(),
            Self::Postgres(unit) => unit.abandon(),
        }
    }

    /// Why the unit is over, when a call finds it so.
    pub(crate) fn reason(&self) -> StorageError {
        match self {
            Self::Sqlite(unit) => unit.reason(),
            Self::Postgres(unit) => unit.reason(),
        }
    }
}

/// The answer of a unit's operation, until the deadline.
pub(crate) async fn answer_of<O: Operation>(
    unit: &Unit,
    answer: Answer<O>,
    deadline: Instant,
) -> Result<O::Output, StorageError> {
    let answer = tokio::time::timeout_at(deadline.into(), answer).await.map_err(|_| StorageError::deadline())?;
    answer.unwrap_or_else(|_| Err(unit.reason()))
}
