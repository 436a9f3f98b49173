//! Connections that only read, for statements outside units of work: a few per database, used by the threads that ask,
//! for what is quick, and by threads that may block, and seeing what is committed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::connection::Connection;
use super::glance::{GLANCE, GLANCE_BYTES_MAX, Quickness};
use super::point;
use super::scope::Scope;
use super::writer::Shared;
use crate::allowance::{Allowance, Cancel};
use crate::error::StorageError;
use crate::operation::Operation;
use crate::options::StorageLimits;

/// The connections that nobody uses at the moment.
pub(super) struct Readers {
    permits: Arc<Semaphore>,
    idle: Mutex<Idle>,
    quickness: Quickness,
}

struct Idle {
    connections: Vec<Connection>,
    used: Option<Instant>,
}

/// What became of an operation that was given to a reader.
pub(super) enum Read<O: Operation> {
    Done(Result<O::Output, StorageError>),
    /// It writes: the writer has to run it.
    Writes(O),
}

impl Readers {
    pub(super) fn new(count: usize) -> Self {
        let idle = Mutex::new(Idle { connections: Vec::new(), used: None });
        Self { permits: Arc::new(Semaphore::new(count.max(1))), idle, quickness: Quickness::default() }
    }

    /// Close what is idle.
    pub(super) fn clear(&self) {
        let connections = std::mem::take(&mut self.idle.lock().connections);
        drop(connections);
    }

    /// Whether anything was read since then.
    pub(super) fn used_since(&self, since: Instant) -> bool {
        self.idle.lock().used.is_some_and(|used| used > since)
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        idle.used = Some(hull_clock::now());
        idle.connections.pop()
    }
}

impl Shared {
    /// Take a connection back, or give it to be closed: after the writer has closed the file, one that is kept would
    /// keep it open for nobody.
    fn rest<T>(&self, connection: Connection, result: &Result<T, StorageError>) -> Option<Connection> {
        // One that is still in a transaction would see for ever what was there when that began.
        let damaged = matches!(result, Err(StorageError::Corrupt { .. } | StorageError::Other(_)))
            || !connection.raw.is_autocommit();
        let mut idle = self.readers.idle.lock();
        if !self.open.load(Ordering::Acquire) || damaged {
            return Some(connection);
        }
        idle.connections.push(connection);
        None
    }
}

/// Run an operation on a connection that only reads. The file must be open. `deadline` is the invocation's; the host's
/// own reads have none.
pub(super) async fn read<O: Operation>(
    shared: &Arc<Shared>,
    operation: O,
    deadline: Option<Instant>,
) -> Result<Read<O>, StorageError> {
    // Whoever reads in a loop lets others have their turn, as if each read were waited for.
    tokio::task::coop::consume_budget().await;
    let operation = match glance(shared, operation, deadline) {
        Glanced::Seen(read) => return Ok(read),
        Glanced::NotSeen(operation) => operation,
    };
    let permits = Arc::clone(&shared.readers.permits);
    let permit = until(deadline, permits.acquire_owned()).await?;
    let permit = permit.map_err(|_| StorageError::Closed(shared.place.component.to_string()))?;
    let cancel = Cancel::default();
    let armed = cancel.on_drop();
    let here = Arc::clone(shared);
    let reading = hull_threads::blocking(move || {
        let _permit = permit;
        read_now(&here, operation, deadline, &cancel)
    });
    let read = reading.await;
    armed.disarm();
    read.map_err(|_| StorageError::Other(format!("a read of {} failed inside the host", shared.place.component)))
}

fn read_now<O: Operation>(shared: &Arc<Shared>, operation: O, deadline: Option<Instant>, cancel: &Cancel) -> Read<O> {
    let limits = Arc::clone(&shared.limits.read());
    let taken = shared.readers.take().map_or_else(|| Connection::reader(&shared.place), Ok);
    let ready = taken.and_then(|connection| connection.take_time(true).map(|()| connection));
    let connection = match ready {
        Ok(connection) => connection,
        Err(error) => return Read::Done(Err(error)),
    };
    let scope = Scope::new(&connection, &limits, &shared.waiters, true);
    let now = hull_clock::now();
    let allowance = match deadline {
        Some(deadline) => Allowance::statement(now, limits.statement_time, deadline, cancel),
        None => Allowance::host(now, &Cancel::default()),
    };
    let result = scope.charged(allowance, operation.meter(), || {
        let result = operation.run(&scope);
        if deadline.is_some() && result.is_ok() && !scope.wants_writer.get() {
            // A program that was made for the values it was given says nothing of others.
            connection.points.learn(&scope, operation.text().filter(|_| !scope.recompiled.get()));
        }
        result
    });
    let writes = scope.wants_writer.get();
    drop(shared.rest(connection, &result));
    if writes { Read::Writes(operation) } else { Read::Done(result) }
}

enum Glanced<O: Operation> {
    Seen(Read<O>),
    NotSeen(O),
}

/// Try a guest's read on this thread, if nothing has to be waited for and its component's reads are quick. If anything is
/// wrong with it, or too large, that is told when it runs elsewhere.
fn glance<O: Operation>(shared: &Shared, operation: O, deadline: Option<Instant>) -> Glanced<O> {
    let readers = &shared.readers;
    let now = hull_clock::now();
    let meter = operation.meter().or(shared.place.meter.as_ref());
    let may_run_here = || meter.is_none_or(|meter| meter.may_glance());
    let has_time = deadline.is_some_and(|deadline| now + GLANCE < deadline);
    if !has_time || !readers.quickness.may_glance(now) || !may_run_here() {
        return Glanced::NotSeen(operation);
    }
    let Ok(_permit) = Arc::clone(&readers.permits).try_acquire_owned() else { return Glanced::NotSeen(operation) };
    let Some(connection) = readers.take() else { return Glanced::NotSeen(operation) };
    let mut limits = StorageLimits::clone(&shared.limits.read());
    limits.value_bytes_max = limits.value_bytes_max.min(point::VALUE_BYTES_MAX);
    limits.result_bytes_max = limits.result_bytes_max.min(GLANCE_BYTES_MAX);
    let scope = Scope::new(&connection, &limits, &shared.waiters, true);
    let try_now = || {
        connection.take_time(false)?;
        let run = || connection.points.quickly(&scope, || operation.run(&scope));
        scope.allowed(Allowance::glance(now, GLANCE), run)
    };
    let seen = if operation.is_quick(&scope) { try_now() } else { Ok(None) };
    let writes = scope.wants_writer.get();
    if let Some(connection) = shared.rest(connection, &seen) {
        // The last one to be closed brings the log into the file.
        tokio::task::spawn_blocking(move || drop(connection));
    }
    // Threads are taken from their work now and then: a little longer is nobody's fault if it came to its end.
    let ended = hull_clock::now();
    if matches!(seen, Err(StorageError::Timeout(_))) || ended >= now + GLANCE * 10 {
        readers.quickness.on_slow(ended);
    } else if matches!(seen, Ok(Some(_))) {
        readers.quickness.on_quick();
    }
    match seen {
        _ if writes => Glanced::Seen(Read::Writes(operation)),
        Ok(Some(output)) => Glanced::Seen(Read::Done(Ok(output))),
        Ok(None) | Err(_) => Glanced::NotSeen(operation),
    }
}

/// A future, or the invocation's deadline if that comes first.
pub(super) async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Result<F::Output, StorageError> {
    match deadline {
        None => Ok(future.await),
        Some(deadline) => tokio::time::timeout_at(deadline.into(), future).await.map_err(|_| StorageError::deadline()),
    }
}

#[cfg(test)]
#[path = "readers_tests.rs"]
mod tests;
