//! Ends statements that run too long or that nobody waits for any more. SQLite asks every few thousand steps of
//! its machine whether to go on; this answers. For steps that are long there is the watch beside it. What neither
//! can end is one call of a function, nor the calls in one row's expressions: their arguments are bounded instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hull_invocation::Resource;
use parking_lot::Mutex;
use rusqlite::InterruptHandle;

use super::connection::Place;
use super::watch::watch;
use crate::error::StorageError;
use crate::options::MeteredWork;

/// How many steps of SQLite's machine lie between two questions: some tens of microseconds.
pub(super) const STEPS_BETWEEN_CHECKS: i32 = 2000;

/// How long a statement of the host's own may run.
const HOST_TIME: Duration = Duration::from_mins(1);

/// Says that nobody waits for the answer any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Cancels when the guard is dropped before it is disarmed: a future that is dropped half-way.
    pub(crate) fn on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Some(self.clone()))
    }
}

/// See [`Cancel::on_drop`].
pub(crate) struct CancelOnDrop(Option<Cancel>);

impl CancelOnDrop {
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = self.0.take() {
            cancel.cancel();
        }
    }
}

/// Until when a statement may run, and which bound that is.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    until: Instant,
    bound: Bound,
    cancel: Cancel,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Statement(Duration),
    Unit(Duration),
    Deadline,
    Migration(Duration),
    Host,
    /// It was only tried.
    Glance,
}

impl Allowance {
    /// A guest's statement: its own time, then the invocation's deadline.
    pub(super) fn statement(now: Instant, limit: Duration, deadline: Instant, cancel: &Cancel) -> Self {
        let until = now + limit;
        let (until, bound) =
            if deadline < until { (deadline, Bound::Deadline) } else { (until, Bound::Statement(limit)) };
        Self { until, bound, cancel: cancel.clone() }
    }

    /// At most until the unit of work has held the writer for as long as it may.
    pub(super) fn within_unit(mut self, ends: Instant, limit: Duration) -> Self {
        if ends < self.until {
            self.until = ends;
            self.bound = Bound::Unit(limit);
        }
        self
    }

    /// A migration: the host runs it, but what it says is the app's.
    pub(super) fn migration(now: Instant, limit: Duration, cancel: &Cancel) -> Self {
        Self { until: now + limit, bound: Bound::Migration(limit), cancel: cancel.clone() }
    }

    /// The host's own work, which is bounded by what it does.
    pub(super) fn host(now: Instant) -> Self {
        Self { until: now + HOST_TIME, bound: Bound::Host, cancel: Cancel::default() }
    }

    /// A read that is tried on the thread that asks.
    pub(super) fn glance(now: Instant, time: Duration) -> Self {
        Self { until: now + time, bound: Bound::Glance, cancel: Cancel::default() }
    }

    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || hull_clock::now() >= self.until
    }

    /// The component's bound that it meets when it is over.
    fn resource(&self) -> Option<Resource> {
        match self.bound {
            _ if self.cancel.is_cancelled() => None,
            Bound::Statement(_) => Some(Resource::StatementTime),
            // What ends with it is counted there: the unit, the invocation.
            Bound::Unit(_) | Bound::Deadline | Bound::Migration(_) | Bound::Host | Bound::Glance => None,
        }
    }

    fn error(&self) -> StorageError {
        match self.bound {
            Bound::Migration(_) if self.cancel.is_cancelled() => {
                StorageError::Timeout("the deployment was given up".to_owned())
            }
            _ if self.cancel.is_cancelled() => StorageError::Timeout("the invocation was cancelled".to_owned()),
            Bound::Statement(limit) => StorageError::statement_time(limit),
            Bound::Unit(limit) => StorageError::Timeout(format!(
                "the unit of work held the database longer than {limit:?} (limits.transaction-time)"
            )),
            Bound::Deadline => StorageError::deadline(),
            Bound::Migration(limit) => StorageError::Timeout(format!(
                "it ran longer than {limit:?} and was undone; split it into several migrations that each do less"
            )),
            Bound::Glance => StorageError::Timeout("it is not quick".to_owned()),
            Bound::Host => StorageError::Timeout(format!("the statement ran longer than {HOST_TIME:?}")),
        }
    }
}

/// Shared by a connection, its progress handler, its functions and the watch.
pub(super) struct Control {
    current: Mutex<Current>,
    place: Arc<Place>,
    interrupt: InterruptHandle,
    value_bytes_max: AtomicUsize,
}

#[derive(Default)]
struct Current {
    allowance: Option<Allowance>,
    /// The watch looks at it.
    watched: bool,
    /// Its end is told to the meter.
    work: Option<Box<dyn MeteredWork>>,
}

impl Control {
    pub(super) fn new(place: Arc<Place>, interrupt: InterruptHandle) -> Self {
        Self { current: Mutex::default(), place, interrupt, value_bytes_max: AtomicUsize::new(0) }
    }

    /// Run `work` within an allowance. Its end comes however the work ends.
    pub(super) fn allowed<R>(self: &Arc<Self>, allowance: Allowance, work: impl FnOnce() -> R) -> R {
        let _released = Released(self);
        self.allow(allowance);
        work()
    }

    fn allow(self: &Arc<Self>, allowance: Allowance) {
        let is_metered = !matches!(allowance.bound, Bound::Glance);
        let metered = self.place.meter.as_ref().filter(|_| is_metered).map(|meter| meter.begin());
        let mut current = self.current.lock();
        current.allowance = Some(allowance);
        current.work = metered;
        let watched = std::mem::replace(&mut current.watched, true);
        drop(current);
        if !watched {
            watch(Arc::clone(self));
        }
    }

    /// The progress handler: `true` ends the statement. Statements without an allowance are the host's savepoints and
    /// commits, which must not be ended half-way.
    pub(super) fn must_stop(&self) -> bool {
        // It may wait for its turn, and the watch must not wait with it.
        let work = self.current.lock().work.take();
        if let Some(mut work) = work {
            work.step();
            self.current.lock().work = Some(work);
        }
        self.current.lock().allowance.as_ref().is_some_and(Allowance::is_over)
    }

    /// Interrupt what runs if it is over; whether to look again. The lock is held, so that nothing is interrupted
    /// that comes after a `release`: SQLite forgets an interruption with the next statement that begins alone.
    pub(super) fn look(&self) -> bool {
        let mut current = self.current.lock();
        if current.allowance.as_ref().is_some_and(Allowance::is_over) {
            self.interrupt.interrupt();
        }
        current.watched = current.allowance.is_some();
        current.watched
    }

    /// Why a statement was ended.
    pub(super) fn interruption(&self) -> StorageError {
        let current = self.current.lock();
        if let Some(resource) = current.allowance.as_ref().and_then(Allowance::resource) {
            self.place.reject(resource);
        }
        let interrupted = || StorageError::Timeout("interrupted".to_owned());
        current.allowance.as_ref().map_or_else(interrupted, Allowance::error)
    }

    /// Whether what runs was only tried.
    pub(super) fn is_glance(&self) -> bool {
        let current = self.current.lock();
        current.allowance.as_ref().is_some_and(|allowance| matches!(allowance.bound, Bound::Glance))
    }

    /// How large a value is that a function may make now.
    pub(super) fn value_bytes_max(&self) -> usize {
        self.value_bytes_max.load(Ordering::Relaxed)
    }

    pub(super) fn set_value_bytes_max(&self, bytes: usize) {
        self.value_bytes_max.store(bytes, Ordering::Relaxed);
    }
}

/// Ends an allowance.
struct Released<'a>(&'a Control);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        let mut current = self.0.current.lock();
        current.allowance = None;
        let work = current.work.take();
        drop(current);
        drop(work);
    }
}
