//! A unit of work as its two sides see it: the invocation sends one command after the other, the writer runs them.
//! Dropping the invocation's side rolls the unit back, and ends the statement that runs for it.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::oneshot;

use super::carried::Ride;
use super::events::Mark;
use super::job::{Answer, Job, JobOf};
use crate::allowance::Cancel;
use crate::error::StorageError;
use crate::event::Finished;
use crate::operation::Operation;

/// How many commands of one unit may be under way. A guest makes one call at a time; one that is dropped half-way
/// leaves its command behind.
const COMMANDS_MAX: usize = 8;

/// Whoever waits for the end of a unit.
pub(super) type End = oneshot::Sender<Result<Finished, StorageError>>;

/// What an invocation tells the writer.
pub(super) enum Command {
    Run(Box<dyn Job>),
    Commit {
        mark: Option<Mark>,
        end: End,
    },
    Rollback {
        end: End,
    },
    /// There is something to see beside the commands: the unit was given up, or who is carried was woken.
    Go,
}

/// The invocation's side.
pub(crate) struct UnitClient {
    commands: SyncSender<Command>,
    cancel: Cancel,
    ended: Arc<OnceLock<StorageError>>,
}

/// The writer's side.
pub(super) struct UnitServer {
    pub(super) commands: Receiver<Command>,
    pub(super) cancel: Cancel,
    /// Why the writer ended it, for calls that come afterwards.
    pub(super) ended: Arc<OnceLock<StorageError>>,
    /// Who sends the commands, if the writer may poll it itself, and how it is told that there is reason to.
    pub(super) ride: Option<(Arc<dyn Ride>, SyncSender<Command>)>,
}

/// Both sides of a new unit.
pub(super) fn unit(ride: Option<Arc<dyn Ride>>) -> (UnitClient, UnitServer) {
    let (sender, receiver) = sync_channel(COMMANDS_MAX);
    let (cancel, ended) = (Cancel::default(), Arc::new(OnceLock::new()));
    let ride = ride.map(|ride| (ride, sender.clone()));
    let client = UnitClient { commands: sender, cancel: cancel.clone(), ended: Arc::clone(&ended) };
    (client, UnitServer { commands: receiver, cancel, ended, ride })
}

impl UnitClient {
    /// Run an operation inside the unit.
    pub(crate) fn run<O: Operation>(&self, operation: O, deadline: Instant) -> Result<Answer<O>, StorageError> {
        let (job, answer, _) = JobOf::new(operation, Some(deadline), &self.cancel);
        self.send(Command::Run(job))?;
        Ok(answer)
    }

    /// Commit, with the mark of the event that was handled if there is one.
    pub(crate) fn commit(
        &self,
        mark: Option<Mark>,
    ) -> Result<oneshot::Receiver<Result<Finished, StorageError>>, StorageError> {
        let (end, ended) = oneshot::channel();
        self.send(Command::Commit { mark, end })?;
        Ok(ended)
    }

    /// Undo everything.
    pub(crate) fn rollback(&self) -> Result<oneshot::Receiver<Result<Finished, StorageError>>, StorageError> {
        let (end, ended) = oneshot::channel();
        self.send(Command::Rollback { end })?;
        Ok(ended)
    }

    /// Have it rolled back now, whoever still holds this side.
    pub(crate) fn abandon(&self) {
        self.cancel.cancel();
        // Wakes the writer if it waits; if it does not, it is about to see the cancellation.
        let _ = self.rollback();
    }

    /// Why the unit is over, when a call finds it so.
    pub(crate) fn reason(&self) -> StorageError {
        self.ended.get().cloned().unwrap_or(StorageError::Conflict)
    }

    fn send(&self, command: Command) -> Result<(), StorageError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Disconnected(_) => self.reason(),
            TrySendError::Full(_) => StorageError::Timeout("too many calls at once in one unit of work".to_owned()),
        })
    }
}

impl Drop for UnitClient {
    fn drop(&mut self) {
        self.cancel.cancel();
        // The bell of who is carried keeps the channel open.
        let _ = self.commands.try_send(Command::Go);
    }
}
