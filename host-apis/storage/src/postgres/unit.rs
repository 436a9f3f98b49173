//! A unit of work as its two sides see it: the invocation sends one command after the other, a task runs them on a
//! connection of the unit's own. Dropping the invocation's side rolls the unit back, and ends the statement that runs.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use async_trait::async_trait;
use hull_invocation::Resource;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::sync::oneshot;

use super::Shared;
use super::ending::allowed;
use super::link::Link;
use super::operation::OnPostgres;
use super::scope::Scope;
use super::transaction::{Isolation, Transaction, reset};
use crate::allowance::{Allowance, Cancel};
use crate::backend::{Answer, End};
use crate::error::StorageError;
use crate::event::{EventIdentity, Finished};
use crate::operation::Growth;

/// How many commands of one unit may be under way. A guest makes one call at a time; one that is dropped half-way
/// leaves its command behind.
const COMMANDS_MAX: usize = 16;

/// Undoes the one operation that there was.
const ANEW: &str = "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ";

/// The invocation's side.
pub(crate) struct UnitClient {
    commands: Sender<Command>,
    cancel: Cancel,
    ended: Arc<OnceLock<StorageError>>,
}

enum Command {
    Run(Box<dyn Job>),
    Commit { identity: Option<EventIdentity>, end: oneshot::Sender<Result<Finished, StorageError>> },
    Rollback { end: oneshot::Sender<Result<Finished, StorageError>> },
}

/// An operation with whoever waits for its answer.
#[async_trait]
trait Job: Send {
    async fn run(&mut self, transaction: &mut Transaction, scope: &mut Scope<'_>) -> Result<(), StorageError>;
    fn answer(self: Box<Self>, instead: Option<StorageError>);
    fn deadline(&self) -> Instant;
}

struct JobOf<O: OnPostgres> {
    operation: O,
    deadline: Instant,
    result: Option<O::Output>,
    reply: oneshot::Sender<Result<O::Output, StorageError>>,
}

#[async_trait]
impl<O: OnPostgres> Job for JobOf<O>
where
    O::Output: Send,
{
    async fn run(&mut self, transaction: &mut Transaction, scope: &mut Scope<'_>) -> Result<(), StorageError> {
        let writes = self.operation.growth() != Growth::None;
        self.result = Some(transaction.run(scope, &self.operation, writes).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, instead: Option<StorageError>) {
        let result = match (instead, self.result) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => Ok(result),
            (None, None) => Err(StorageError::Conflict),
        };
        // Whoever does not wait any more does not need it.
        let _ = self.reply.send(result);
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl UnitClient {
    /// Run an operation inside the unit.
    pub(crate) fn run<O: OnPostgres>(&self, operation: O, deadline: Instant) -> Result<Answer<O>, StorageError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Run(Box::new(JobOf { operation, deadline, result: None, reply })))?;
        Ok(answer)
    }

    /// Commit, with the mark of the event that was handled if there is one.
    pub(crate) fn commit(&self, identity: Option<EventIdentity>) -> Result<End, StorageError> {
        let (end, ended) = oneshot::channel();
        self.send(Command::Commit { identity, end })?;
        Ok(ended)
    }

    /// Undo everything.
    pub(crate) fn rollback(&self) -> Result<End, StorageError> {
        let (end, ended) = oneshot::channel();
        self.send(Command::Rollback { end })?;
        Ok(ended)
    }

    /// Have it rolled back now, whoever still holds this side.
    pub(crate) fn abandon(&self) {
        self.cancel.cancel();
    }

    /// Why the unit is over, when a call finds it so.
    pub(crate) fn reason(&self) -> StorageError {
        self.ended.get().cloned().unwrap_or(StorageError::Conflict)
    }

    fn send(&self, command: Command) -> Result<(), StorageError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Closed(_) => self.reason(),
            TrySendError::Full(_) => StorageError::Timeout("too many calls at once in one unit of work".to_owned()),
        })
    }
}

impl Drop for UnitClient {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Begin a unit; the connection is waited for by its task. `of_event` is whether its commit brings the mark of an event
/// that comes again if nobody hears of it.
pub(super) fn begin(shared: &Arc<Shared>, of_event: bool) -> UnitClient {
    let (sender, commands) = channel(COMMANDS_MAX);
    let (cancel, ended) = (Cancel::default(), Arc::new(OnceLock::new()));
    let shared = Arc::clone(shared);
    let server =
        UnitServer { shared, of_event, is_fresh: true, commands, cancel: cancel.clone(), ended: Arc::clone(&ended) };
    tokio::spawn(server.serve());
    UnitClient { commands: sender, cancel, ended }
}

/// The task's side.
struct UnitServer {
    shared: Arc<Shared>,
    of_event: bool,
    /// Nothing was done in its transaction yet: to undo the first operation is to begin again.
    is_fresh: bool,
    commands: Receiver<Command>,
    cancel: Cancel,
    ended: Arc<OnceLock<StorageError>>,
}

/// How a unit goes on after a command.
enum Goes {
    On,
    Over,
}

impl UnitServer {
    async fn serve(mut self) {
        let Some(first) = self.commands.recv().await else { return };
        let deadline = match &first {
            Command::Run(job) => Some(job.deadline()),
            Command::Commit { .. } | Command::Rollback { .. } => None,
        };
        let shared = Arc::clone(&self.shared);
        let lease = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return,
            lease = shared.guest(deadline) => lease,
        };
        let (lease, opened) = match lease {
            Ok(both) => both,
            Err(error) => return self.refuse(first, &error),
        };
        let Ok(link) = lease.link() else { return };
        let mut scope = Scope::new(&shared, &opened, link, true);
        let begin = if self.of_event { Transaction::of_event } else { Transaction::begin };
        let mut transaction = Some(begin(&scope, Isolation::RepeatableRead));
        let limit = scope.limits.transaction_time;
        let ends = hull_clock::now() + limit;
        let mut next = Some(first);
        while let Some(command) = next.take() {
            if let Goes::Over = self.run(command, &mut scope, &mut transaction, ends).await {
                break;
            }
            next = tokio::select! {
                biased;
                () = self.cancel.cancelled() => None,
                command = self.commands.recv() => command,
                () = tokio::time::sleep_until(ends.into()) => {
                    self.expire(&scope);
                    None
                }
            };
        }
        if transaction.is_some() {
            scope.link.send("ROLLBACK");
        }
        reset(&scope);
    }

    async fn run(
        &mut self,
        command: Command,
        scope: &mut Scope<'_>,
        transaction: &mut Option<Transaction>,
        ends: Instant,
    ) -> Goes {
        match command {
            Command::Run(job) => match transaction {
                Some(open) => self.run_job(job, scope, open, ends).await,
                None => Goes::Over,
            },
            Command::Commit { identity, end } => {
                let Some(open) = transaction.take() else { return Goes::Over };
                let _ = end.send(open.commit(scope, identity.as_ref()).await);
                Goes::Over
            }
            Command::Rollback { end } => {
                *transaction = None;
                if scope.link.end("ROLLBACK").await.is_err() {
                    scope.link.break_off();
                }
                // Without a connection it is undone as well.
                let _ = end.send(Ok(Finished::Committed));
                Goes::Over
            }
        }
    }

    /// Run one operation so that it happens whole or not at all, and leaves the rest as it was.
    async fn run_job(
        &mut self,
        mut job: Box<dyn Job>,
        scope: &mut Scope<'_>,
        transaction: &mut Transaction,
        ends: Instant,
    ) -> Goes {
        let limits = Arc::clone(&scope.limits);
        let now = hull_clock::now();
        let allowance = Allowance::statement(now, limits.statement_time, job.deadline(), &self.cancel)
            .within_unit(ends, limits.transaction_time);
        let link = scope.link;
        let has_savepoint = !std::mem::replace(&mut self.is_fresh, false);
        if has_savepoint {
            link.send("SAVEPOINT hull_statement");
        }
        let published = scope.published.len();
        let rejected = self.shared.rejected.clone();
        let ran = allowed(&allowance, link, rejected.as_ref(), job.run(transaction, scope)).await;
        let is_late = hull_clock::now() >= ends && !self.cancel.is_cancelled();
        let error = match ran {
            Ok(()) => {
                if has_savepoint {
                    link.send("RELEASE hull_statement");
                }
                None
            }
            Err(error) => {
                scope.published.truncate(published);
                self.is_fresh = !has_savepoint;
                if let Some(reason) = self.undo(link, &error, has_savepoint).await {
                    let _ = self.ended.set(reason.clone());
                    self.commands.close();
                    job.answer(Some(error));
                    self.refuse_rest(&reason);
                    return Goes::Over;
                }
                if self.is_fresh {
                    transaction.began_anew();
                }
                Some(error)
            }
        };
        if is_late {
            self.expire(scope);
            job.answer(error);
            return Goes::Over;
        }
        job.answer(error);
        Goes::On
    }

    /// Undo one operation; why the unit cannot go on, if it cannot.
    async fn undo(&self, link: &Link, error: &StorageError, has_savepoint: bool) -> Option<StorageError> {
        if *error == StorageError::Conflict {
            return Some(StorageError::Conflict);
        }
        if !link.is_usable() {
            return Some(error.clone());
        }
        let undo = if has_savepoint { "ROLLBACK TO hull_statement; RELEASE hull_statement" } else { ANEW };
        let undone = link.end(undo).await;
        undone.is_err().then(|| StorageError::Expired(format!("a statement undid it: {error}")))
    }

    /// It has lasted too long: what is under way and what comes later is told why.
    fn expire(&mut self, scope: &Scope<'_>) {
        self.shared.reject(Resource::TransactionTime);
        let limit = scope.limits.transaction_time;
        let reason =
            StorageError::Expired(format!("it held the database longer than {limit:?} (limits.transaction-time)"));
        let _ = self.ended.set(reason.clone());
        self.commands.close();
        self.refuse_rest(&reason);
    }

    fn refuse(mut self, first: Command, error: &StorageError) {
        let _ = self.ended.set(error.clone());
        self.commands.close();
        answer(first, error);
        self.refuse_rest(error);
    }

    fn refuse_rest(&mut self, reason: &StorageError) {
        while let Ok(command) = self.commands.try_recv() {
            answer(command, reason);
        }
    }
}

fn answer(command: Command, error: &StorageError) {
    match command {
        Command::Run(job) => job.answer(Some(error.clone())),
        Command::Commit { end, .. } | Command::Rollback { end } => {
            let _ = end.send(Err(error.clone()));
        }
    }
}
