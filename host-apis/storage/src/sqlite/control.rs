//! Ends statements that run too long or that nobody waits for any more. SQLite asks every few thousand steps of
//! its machine whether to go on; this answers. For steps that are long there is the watch beside it. What neither
//! can end is one call of a function, nor the calls in one row's expressions: their arguments are bounded instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rusqlite::InterruptHandle;

use super::connection::Place;
use super::watch::watch;
use crate::allowance::Allowance;
use crate::error::StorageError;
use crate::options::{MeteredWork, StatementMeter};

/// How many steps of SQLite's machine lie between two questions: some tens of microseconds.
pub(super) const STEPS_BETWEEN_CHECKS: i32 = 2000;

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

    /// Run `work` within an allowance, charged to that meter or else to the component's. Its end comes however the work
    /// ends.
    pub(super) fn allowed<R>(
        self: &Arc<Self>,
        allowance: Allowance,
        meter: Option<&Arc<dyn StatementMeter>>,
        work: impl FnOnce() -> R,
    ) -> R {
        let _released = Released(self);
        self.allow(allowance, meter);
        work()
    }

    fn allow(self: &Arc<Self>, allowance: Allowance, meter: Option<&Arc<dyn StatementMeter>>) {
        let meter = meter.or(self.place.meter.as_ref());
        let metered = meter.filter(|_| !allowance.is_glance()).map(|meter| meter.begin());
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
        current.allowance.as_ref().is_some_and(Allowance::is_glance)
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
