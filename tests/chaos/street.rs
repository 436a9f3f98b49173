//! Where customers and clerks come from: they see the shop's doors, whichever process is behind each, or that it is shut.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use hull_tests::http::Client;

/// From one attempt to the next.
const AGAIN: Duration = Duration::from_millis(40);

#[derive(Debug, Default)]
struct Seen {
    doors: BTreeMap<usize, Client>,
    /// From when on nothing new is begun, and when whoever still waits goes home.
    closed: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Street {
    seen: RwLock<Seen>,
    visits: AtomicUsize,
}

impl Street {
    /// A door, if there is one; they take turns.
    pub(crate) fn client(&self) -> Option<Client> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let turn = self.visits.fetch_add(1, Ordering::Relaxed) % seen.doors.len().max(1);
        seen.doors.values().nth(turn).copied()
    }

    /// Whether nothing new is to be begun.
    pub(crate) fn is_closed(&self) -> bool {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).closed.is_some()
    }

    /// There is a host in that place, or there is none.
    pub(crate) fn set_door(&self, place: usize, door: Option<Client>) {
        let doors = &mut self.seen.write().unwrap_or_else(PoisonError::into_inner).doors;
        match door {
            Some(client) => doors.insert(place, client),
            None => doors.remove(&place),
        };
    }

    /// Nothing new from now on; what is under way has that long to be done.
    pub(crate) fn close(&self, patience: Duration) {
        self.seen.write().unwrap_or_else(PoisonError::into_inner).closed = Some(hull_clock::now() + patience);
    }

    /// Try until it is done, or until it is too late.
    pub(crate) fn until_done<T>(&self, mut attempt: impl FnMut(&Client) -> Option<T>) -> Option<T> {
        loop {
            let done = self.client().and_then(|client| attempt(&client));
            let closed = self.seen.read().unwrap_or_else(PoisonError::into_inner).closed;
            if done.is_some() || closed.is_some_and(|end| hull_clock::now() >= end) {
                return done;
            }
            std::thread::sleep(AGAIN);
        }
    }
}
