//! Where customers and clerks come from: they see the shop's door, whichever process is behind it, or that it is shut.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use hull_tests::http::Client;

/// From one attempt to the next.
const AGAIN: Duration = Duration::from_millis(40);

#[derive(Debug, Default)]
struct Seen {
    door: Option<Client>,
    /// From when on nothing new is begun, and when whoever still waits goes home.
    closed: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Street(RwLock<Seen>);

impl Street {
    /// The door, if there is one.
    pub(crate) fn client(&self) -> Option<Client> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).door
    }

    /// Whether nothing new is to be begun.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).closed.is_some()
    }

    /// There is a host, or there is none.
    pub(crate) fn set_door(&self, door: Option<Client>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).door = door;
    }

    /// Nothing new from now on; what is under way has that long to be done.
    pub(crate) fn close(&self, patience: Duration) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).closed = Some(hull_clock::now() + patience);
    }

    /// Try until it is done, or until it is too late.
    pub(crate) fn until_done<T>(&self, mut attempt: impl FnMut(&Client) -> Option<T>) -> Option<T> {
        loop {
            let done = self.client().and_then(|client| attempt(&client));
            let closed = self.0.read().unwrap_or_else(PoisonError::into_inner).closed;
            if done.is_some() || closed.is_some_and(|end| hull_clock::now() >= end) {
                return done;
            }
            std::thread::sleep(AGAIN);
        }
    }
}
