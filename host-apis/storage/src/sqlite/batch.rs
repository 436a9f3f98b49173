//! Units that share one commit. Each runs in a savepoint of one transaction; nothing is answered before the
//! transaction is on disk. If SQLite undoes the transaction half-way (a statement that was interrupted, a
//! `ROLLBACK` of a constraint), operations that stood alone are run again, units get a conflict.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use hull_invocation::Resource;

use super::carried::Boarded;
use super::events::Mark;
use super::job::Job;
use super::scope::{Lost, Scope};
use super::unit::{Command, End, UnitServer};
use crate::allowance::{Allowance, Cancel};
use crate::error::StorageError;
use crate::event::Finished;
use crate::operation::Operation;

/// What waits for the writer.
pub(super) enum Unit {
    /// One operation, committed by itself.
    Single(Box<dyn Job>),
    /// Commands of an invocation, one after the other.
    Interactive(UnitServer),
}

impl Unit {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Single(job) => job.is_abandoned(),
            Self::Interactive(server) => server.cancel.is_cancelled(),
        }
    }

    /// Answer without having run.
    pub(super) fn refuse(self, error: StorageError) {
        match self {
            Self::Single(job) => job.answer(Some(error)),
            Self::Interactive(server) => end_with(&server, &error),
        }
    }
}

/// What was ready and waits for the commit.
enum Ready {
    Single(Box<dyn Job>),
    Unit(End, Finished),
}

/// The outer transaction, and who waits for it.
pub(super) struct Batch<'a> {
    scope: &'a Scope<'a>,
    committed: &'a dyn Fn(bool),
    ready: Vec<Ready>,
    oldest_ready: Option<Instant>,
}

/// Whether the transaction goes on.
type Goes = Result<(), Lost>;

impl<'a> Batch<'a> {
    /// Run `first` and then what `next` gives, until one of the bounds is reached or nothing waits. Calls `committed`
    /// after each commit with whether there is something new for the relay. Returns what has to be run again, in
    /// order.
    pub(super) fn run(
        scope: &'a Scope<'a>,
        committed: &'a dyn Fn(bool),
        first: Unit,
        mut next: impl FnMut() -> Option<Unit>,
    ) -> Vec<Unit> {
        if first.is_abandoned() {
            return Vec::new();
        }
        if let Err(error) = begin(scope) {
            first.refuse(error);
            return Vec::new();
        }
        let mut batch = Self { scope, committed, ready: Vec::new(), oldest_ready: None };
        let mut unit = Some(first);
        while let Some(present) = unit {
            if let Err(lost) = batch.run_unit(present) {
                return batch.lost(&lost);
            }
            let full = batch.ready.len() >= scope.limits.batch_units_max || batch.is_old();
            unit = if full { None } else { next() };
        }
        if let Err(error) = batch.commit() {
            // A foreign key that one of them has just made is checked now, and it is not known whose rows broke it.
            if batch.ready.len() > 1 && matches!(error, StorageError::Constraint { .. }) {
                return batch.lost(&Lost(Some(error)));
            }
            roll_back(scope);
            batch.answer(Some(&error));
        }
        Vec::new()
    }

    fn run_unit(&mut self, unit: Unit) -> Goes {
        match unit {
            unit if unit.is_abandoned() => Ok(()),
            Unit::Single(job) if !job.take() => Ok(()),
            Unit::Single(job) => self.run_single(job),
            Unit::Interactive(server) => self.serve(&server),
        }
    }

    fn run_single(&mut self, mut job: Box<dyn Job>) -> Goes {
        let allowance = job.allowance(self.scope);
        match job.run(self.scope, allowance) {
            Ok(()) => {
                self.push(Ready::Single(job));
                Ok(())
            }
            Err(lost) => {
                job.answer(Some(lost.0.clone().unwrap_or(StorageError::Conflict)));
                Err(lost)
            }
        }
    }

    /// Run the commands of one unit until it ends, is abandoned, or has held the writer for too long.
    fn serve(&mut self, server: &UnitServer) -> Goes {
        let limit = self.scope.limits.transaction_time;
        let ends = hull_clock::now() + limit;
        let mut wrote = false;
        self.savepoint()?;
        let carried = server.ride.as_ref().map(|(ride, bell)| Boarded::on(ride, bell));
        loop {
            let command = match self.receive(server, carried.as_ref(), ends, wrote)? {
                Received::Command(command) => command,
                Received::Gone => return self.undo(),
                Received::TimeIsUp => {
                    self.count_late();
                    return self.expire(server, limit);
                }
            };
            match command {
                Command::Run(mut job) => {
                    if job.writes() && !wrote && self.is_old() {
                        self.flush_before_write()?;
                    }
                    wrote |= job.writes();
                    let allowance = job.allowance(self.scope).within_unit(ends, limit);
                    let ran = job.run(self.scope, allowance);
                    let is_late = hull_clock::now() >= ends && !server.cancel.is_cancelled();
                    if is_late {
                        self.count_late();
                    }
                    if let Err(lost) = ran {
                        let error = lost.0.clone().unwrap_or(StorageError::Conflict);
                        job.answer(Some(error.clone()));
                        let reason = format!("a statement undid it: {error}");
                        end_with(server, &StorageError::Expired(reason));
                        return Err(lost);
                    }
                    job.answer(None);
                    if is_late {
                        return self.expire(server, limit);
                    }
                }
                Command::Commit { mark, end } => return self.finish(mark, end),
                Command::Rollback { end } => {
                    self.undo()?;
                    self.push(Ready::Unit(end, Finished::Committed));
                    return Ok(());
                }
                Command::Go => {}
            }
        }
    }

    /// Wait for the next command. While the unit has written nothing, those that are ready need not wait for it: they
    /// are committed, and the unit goes on in a new transaction. It sees the same, as nobody else writes.
    fn receive(
        &mut self,
        server: &UnitServer,
        carried: Option<&Boarded<'_>>,
        ends: Instant,
        wrote: bool,
    ) -> Result<Received, Lost> {
        loop {
            let goes_on = carried.is_some_and(Boarded::go);
            let now = hull_clock::now();
            let flush_at = self.oldest_ready.filter(|_| !wrote).map(|oldest| oldest + self.scope.limits.batch_wait_max);
            let until = if goes_on { now } else { flush_at.map_or(ends, |flush_at| flush_at.min(ends)) };
            match server.commands.recv_timeout(until.saturating_duration_since(now)) {
                Ok(_) if server.cancel.is_cancelled() => return Ok(Received::Gone),
                Ok(Command::Go) => {}
                Ok(command) => return Ok(Received::Command(command)),
                Err(RecvTimeoutError::Disconnected) => return Ok(Received::Gone),
                Err(RecvTimeoutError::Timeout) if hull_clock::now() >= ends => return Ok(Received::TimeIsUp),
                Err(RecvTimeoutError::Timeout) => {
                    if flush_at.is_some_and(|flush_at| hull_clock::now() >= flush_at) {
                        self.flush_before_write()?;
                    }
                }
            }
        }
    }

    fn finish(&mut self, mark: Option<Mark>, end: End) -> Goes {
        let finished = match mark {
            None => Ok(Finished::Committed),
            Some(mark) => {
                let allowance = Allowance::host(hull_clock::now(), &Cancel::default());
                match self.scope.atomically(mark.growth(), allowance, || mark.run(self.scope)) {
                    Ok(finished) => finished,
                    Err(lost) => {
                        let error = lost.0.clone().unwrap_or(StorageError::Conflict);
                        let _ = end.send(Err(error));
                        return Err(lost);
                    }
                }
            }
        };
        match finished {
            Ok(Finished::Committed) => {
                self.scope.host_execute("RELEASE hull_unit", []).map_err(|error| Lost(Some(error)))?;
                self.push(Ready::Unit(end, Finished::Committed));
            }
            Ok(Finished::AlreadyHandled) => {
                self.undo()?;
                self.push(Ready::Unit(end, Finished::AlreadyHandled));
            }
            Err(error) => {
                self.undo()?;
                let _ = end.send(Err(error));
            }
        }
        Ok(())
    }

    /// Once for each unit, and before the guest can hear of it.
    fn count_late(&self) {
        self.scope.connection.place.reject(Resource::TransactionTime);
    }

    fn expire(&self, server: &UnitServer, limit: Duration) -> Goes {
        let reason = format!("it held the database longer than {limit:?} (limits.transaction-time)");
        end_with(server, &StorageError::Expired(reason));
        self.undo()
    }

    fn push(&mut self, ready: Ready) {
        self.ready.push(ready);
        self.oldest_ready.get_or_insert_with(hull_clock::now);
    }

    fn is_old(&self) -> bool {
        let wait = self.scope.limits.batch_wait_max;
        self.oldest_ready.is_some_and(|oldest| hull_clock::now() >= oldest + wait)
    }

    fn savepoint(&self) -> Goes {
        self.scope.host_execute("SAVEPOINT hull_unit", []).map_err(|error| Lost(Some(error))).map(drop)
    }

    fn undo(&self) -> Goes {
        self.scope.on_undone();
        let undone = self
            .scope
            .host_execute("ROLLBACK TO hull_unit", [])
            .and_then(|_| self.scope.host_execute("RELEASE hull_unit", []));
        undone.map_err(|error| Lost(Some(error))).map(drop)
    }

    /// Commit what is ready while a unit is open that has written nothing.
    fn flush_before_write(&mut self) -> Goes {
        let released = self.scope.host_execute("RELEASE hull_unit", []);
        released.map_err(|error| Lost(Some(error)))?;
        self.commit().map_err(|error| Lost(Some(error)))?;
        begin(self.scope).map_err(|error| Lost(Some(error)))?;
        self.savepoint()
    }

    /// Make everything so far durable, and only then answer.
    fn commit(&mut self) -> Result<(), StorageError> {
        self.scope.host_execute("COMMIT /* hull */", [])?;
        (self.committed)(self.scope.outbox_touched.take());
        self.answer(None);
        Ok(())
    }

    fn answer(&mut self, instead: Option<&StorageError>) {
        self.oldest_ready = None;
        for ready in self.ready.drain(..) {
            match ready {
                Ready::Single(job) => job.answer(instead.cloned()),
                Ready::Unit(end, finished) => {
                    let _ = end.send(instead.cloned().map_or(Ok(finished), Err));
                }
            }
        }
    }

    /// The transaction is gone. Nothing of it was answered, so that all of it can be tried again.
    fn lost(self, lost: &Lost) -> Vec<Unit> {
        roll_back(self.scope);
        let component = &self.scope.connection.place.component;
        tracing::debug!(%component, reason = ?lost.0, "a shared commit was undone");
        let mut again = Vec::new();
        for ready in self.ready {
            match ready {
                Ready::Single(job) => again.push(Unit::Single(job)),
                Ready::Unit(end, _) => {
                    let _ = end.send(Err(StorageError::Conflict));
                }
            }
        }
        again
    }
}

enum Received {
    Command(Command),
    Gone,
    TimeIsUp,
}

fn begin(scope: &Scope<'_>) -> Result<(), StorageError> {
    scope.host_execute("BEGIN IMMEDIATE /* hull */", []).map(drop)
}

/// After a failure: whether there is still something to roll back depends on the failure.
fn roll_back(scope: &Scope<'_>) {
    if !scope.connection.raw.is_autocommit()
        && let Err(error) = scope.host_execute("ROLLBACK /* hull */", [])
    {
        let component = &scope.connection.place.component;
        tracing::error!(%component, %error, "a transaction could not be rolled back");
    }
}

/// End a unit from the writer's side: what is under way and what comes later is told why.
fn end_with(server: &UnitServer, reason: &StorageError) {
    let _ = server.ended.set(reason.clone());
    while let Ok(command) = server.commands.try_recv() {
        match command {
            Command::Go => {}
            Command::Run(job) => job.answer(Some(reason.clone())),
            Command::Commit { end, .. } | Command::Rollback { end } => {
                let _ = end.send(Err(reason.clone()));
            }
        }
    }
}
