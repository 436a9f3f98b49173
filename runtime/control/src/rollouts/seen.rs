//! What is seen of one side of a rollout, counted where requests end.

use std::time::Duration;

use hull_gateway::Watches;
use hull_rollout::Tally;
use parking_lot::Mutex;

/// The status of a client that went away before it had an answer: nobody's fault.
const CLIENT_GONE: u16 = 499;

#[derive(Default)]
pub(super) struct Seen(Mutex<Tally>);

impl Seen {
    /// Everything since the last time, which counts from nothing again.
    pub(super) fn take(&self) -> Tally {
        std::mem::take(&mut self.0.lock())
    }

    /// The same, and it goes on.
    pub(super) fn look(&self) -> Tally {
        self.0.lock().clone()
    }
}

impl Watches for Seen {
    fn answered(&self, took: Duration, status: u16) {
        if status != CLIENT_GONE {
            self.0.lock().add(took, status >= 500);
        }
    }
}
