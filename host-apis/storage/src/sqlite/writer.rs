//! The one writer of a database: a thread that owns the connection, started when there is something to write and
//! gone after some idle time, so that idle components cost nothing. Units wait for it first come, first served.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::Notify;

use super::batch::{Batch, Unit};
use super::connection::{Connection, Place};
use super::readers::Readers;
use super::scope::Scope;
use crate::error::StorageError;
use crate::options::StorageLimits;
use crate::waiters::Waiters;

/// What a database gives way by to the threads that serve everybody, so that one component's bulk writes do not hold up
/// another's requests: half as far as guests do that are past their first tick, which a commit must not wait for.
const NICENESS: i32 = 5;

/// What the writer's thread and the clients share.
pub(crate) struct Shared {
    pub(super) place: Arc<Place>,
    pub(super) limits: RwLock<Arc<StorageLimits>>,
    pub(super) readers: Readers,
    pub(crate) waiters: Arc<Waiters>,
    /// Signalled after a commit that put something into the outbox.
    pub(crate) outbox_changed: Notify,
    /// How many transactions were committed: fewer than units when some shared one.
    pub(super) commits: AtomicU64,
    /// Whether the file is open and its tables are there.
    pub(super) open: AtomicBool,
    queue: Mutex<Queue>,
    /// There is something in the queue, or the queue is closed.
    arrived: Condvar,
    /// The thread has ended.
    pub(super) ended: Notify,
}

#[derive(Default)]
struct Queue {
    units: VecDeque<Unit>,
    running: bool,
    closed: bool,
}

impl Shared {
    pub(super) fn new(place: Place, limits: StorageLimits) -> Self {
        Self {
            place: Arc::new(place),
            readers: Readers::new(limits.readers_max),
            limits: RwLock::new(Arc::new(limits)),
            waiters: Arc::new(Waiters::default()),
            outbox_changed: Notify::new(),
            commits: AtomicU64::new(0),
            open: AtomicBool::new(false),
            queue: Mutex::new(Queue::default()),
            arrived: Condvar::new(),
            ended: Notify::new(),
        }
    }

    /// Queue a unit, and start the thread if there is none.
    pub(super) fn submit(self: &Arc<Self>, unit: Unit) -> Result<(), StorageError> {
        let limit = self.limits.read().queue_length_max;
        let mut queue = self.queue.lock();
        let component = || self.place.component.to_string();
        if queue.closed {
            return Err(StorageError::Closed(component()));
        }
        if queue.units.len() >= limit {
            return Err(StorageError::Overloaded { component: component(), waiting: limit });
        }
        queue.units.push_back(unit);
        if queue.running {
            drop(queue);
            self.arrived.notify_one();
            return Ok(());
        }
        queue.running = true;
        // Not under the lock: another thread makes it.
        drop(queue);
        let shared = Arc::clone(self);
        if let Err(error) = hull_threads::spawn("hull-storage", move || shared.write()) {
            self.give_up(&format!("no thread for the database of {}: {error}", component()));
        }
        Ok(())
    }

    /// There is no thread any more: tell everybody who waits for it.
    fn give_up(&self, message: &str) {
        let mut queue = self.queue.lock();
        queue.running = false;
        let units = std::mem::take(&mut queue.units);
        drop(queue);
        for unit in units {
            unit.refuse(StorageError::Other(message.to_owned()));
        }
        self.ended.notify_waiters();
    }

    /// How many units wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().units.len()
    }

    /// Take no more units. Returns whether a thread still runs; it ends when the queue is empty.
    pub(super) fn close(&self) -> bool {
        let mut queue = self.queue.lock();
        queue.closed = true;
        let running = queue.running;
        drop(queue);
        self.arrived.notify_all();
        running
    }

    /// Whether the thread runs.
    pub(super) fn is_running(&self) -> bool {
        self.queue.lock().running
    }

    /// The thread. It opens the file, serves until nothing came for the idle time, and closes the file.
    fn write(self: Arc<Self>) {
        let _ending = Ending(&self);
        hull_threads::lower(NICENESS);
        loop {
            self.serve();
            self.open.store(false, Ordering::Release);
            self.readers.clear();
            let mut queue = self.queue.lock();
            if queue.units.is_empty() {
                queue.running = false;
                return;
            }
        }
    }

    fn serve(&self) {
        let mut limits = Arc::clone(&self.limits.read());
        let connection = match Connection::writer(&self.place, &limits) {
            Ok(connection) => connection,
            Err(error) => return self.refuse_all(&error),
        };
        let mut shares_commits = connection.shares_commits();
        let mut alone = 0_usize;
        self.open.store(true, Ordering::Release);
        while let Some(first) = self.wait_for_unit(&limits) {
            let current = Arc::clone(&self.limits.read());
            if current != limits {
                limits = current;
                if let Err(error) = connection.apply(&limits) {
                    return first.refuse(error);
                }
            }
            let scope = Scope::new(&connection, &limits, &self.waiters, false);
            let committed = |outbox_touched| {
                self.commits.fetch_add(1, Ordering::Relaxed);
                if outbox_touched {
                    self.outbox_changed.notify_one();
                }
            };
            let shares = shares_commits && alone == 0;
            let next = || {
                // What the new schema says of sharing is known only after this commit.
                if shares && !scope.schema_changed.get() { self.queue.lock().units.pop_front() } else { None }
            };
            let again = Batch::run(&scope, &committed, first, next);
            if let Err(error) = connection.bound_log() {
                tracing::warn!(component = %self.place.component, %error, "the log could not be brought into the file");
            }
            if scope.schema_changed.get() {
                shares_commits = connection.shares_commits();
            }
            // Run again, they do not meet the same fate together.
            alone = alone.saturating_sub(1) + again.len();
            let mut queue = self.queue.lock();
            again.into_iter().rev().for_each(|unit| queue.units.push_front(unit));
        }
    }

    /// The next unit, or none when the thread is to close the file.
    fn wait_for_unit(&self, limits: &StorageLimits) -> Option<Unit> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(unit) = queue.units.pop_front() {
                return Some(unit);
            }
            if queue.closed {
                return None;
            }
            let since: Instant = hull_clock::now();
            let timed_out = self.arrived.wait_for(&mut queue, limits.idle_time).timed_out();
            if timed_out && queue.units.is_empty() && !self.readers.used_since(since) {
                return None;
            }
        }
    }

    fn refuse_all(&self, error: &StorageError) {
        let units = std::mem::take(&mut self.queue.lock().units);
        for unit in units {
            unit.refuse(error.clone());
        }
    }
}

/// Whatever ends the thread, the next unit can start another one.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let shared = self.0;
        if std::thread::panicking() {
            shared.open.store(false, Ordering::Release);
            shared.give_up(&format!("the database of {} failed inside the host", shared.place.component));
        }
        shared.ended.notify_waiters();
    }
}
