//! An operation on its way to the writer, with whoever waits for its answer. Jobs can be run again: the answer is
//! given only when it is known to hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use tokio::sync::oneshot;

use super::scope::{Lost, Scope};
use crate::allowance::{Allowance, Cancel};
use crate::error::StorageError;
use crate::operation::{Growth, Operation};

/// See the module.
pub(super) trait Job: Send {
    /// Run it, whole or not at all; the result stays inside until it is answered.
    fn run(&mut self, scope: &Scope<'_>, allowance: Allowance) -> Result<(), Lost>;
    /// Give the result of the last run, or the error instead of it.
    fn answer(self: Box<Self>, instead: Option<StorageError>);
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
    /// Take it on: from here on whoever waits gets to know how it ended. `false` if it was given up before.
    fn take(&self) -> bool;
    /// Whether it may write.
    fn writes(&self) -> bool;
    /// Until when it may run if it runs alone.
    fn allowance(&self, scope: &Scope<'_>) -> Allowance;
}

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Settles who is first: the writer that takes a job on, or the client that gives it up. So a timeout means that
/// nothing was done.
#[derive(Clone, Default)]
pub(super) struct Claim(Arc<AtomicU8>);

impl Claim {
    fn take(&self) -> bool {
        let taken = self.0.compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok() || taken == Err(TAKEN)
    }

    /// Give the job up; `false` if it has been taken on, and will be answered.
    pub(super) fn give_up(&self) -> bool {
        self.0.compare_exchange(WAITING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// A job for one kind of operation.
pub(super) struct JobOf<O: Operation> {
    operation: O,
    deadline: Option<Instant>,
    cancel: Cancel,
    claim: Claim,
    result: Option<Result<O::Output, StorageError>>,
    reply: oneshot::Sender<Result<O::Output, StorageError>>,
}

/// Whoever waits for a job's answer.
pub(super) type Answer<O> = oneshot::Receiver<Result<<O as Operation>::Output, StorageError>>;

impl<O: Operation> JobOf<O> {
    /// A guest's, with the invocation's deadline, or the host's own without one.
    pub(super) fn new(operation: O, deadline: Option<Instant>, cancel: &Cancel) -> (Box<Self>, Answer<O>, Claim) {
        let (reply, answer) = oneshot::channel();
        let claim = Claim::default();
        let (cancel, theirs) = (cancel.clone(), claim.clone());
        (Box::new(Self { operation, deadline, cancel, claim: theirs, result: None, reply }), answer, claim)
    }
}

impl<O: Operation> Job for JobOf<O> {
    fn run(&mut self, scope: &Scope<'_>, allowance: Allowance) -> Result<(), Lost> {
        let operation = &self.operation;
        self.result = Some(scope.atomically(operation.growth(), allowance, || operation.run(scope))?);
        Ok(())
    }

    fn answer(self: Box<Self>, instead: Option<StorageError>) {
        let result = match (instead, self.result) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => Err(StorageError::Conflict),
        };
        // Whoever does not wait any more does not need it.
        let _ = self.reply.send(result);
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn take(&self) -> bool {
        self.claim.take()
    }

    fn writes(&self) -> bool {
        self.operation.growth() != Growth::None
    }

    fn allowance(&self, scope: &Scope<'_>) -> Allowance {
        let now = hull_clock::now();
        match (self.deadline, self.operation.long_time(scope.limits)) {
            (Some(deadline), _) => Allowance::statement(now, scope.limits.statement_time, deadline, &self.cancel),
            (None, Some(limit)) => Allowance::migration(now, limit, &self.cancel),
            (None, None) => Allowance::host(now, &Cancel::default()),
        }
    }
}
