//! Publishers outside units of work wait here until the relay says that the bus holds their event.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::StorageError;

/// What a publisher is told.
type Verdict = Result<(), StorageError>;

/// Who waits for which row of the outbox. Bounded by the invocations of the component, one entry each at a time.
#[derive(Default)]
pub(crate) struct Waiters {
    entries: Mutex<HashMap<i64, (u64, oneshot::Sender<Verdict>)>>,
    tickets: AtomicU64,
}

impl Waiters {
    /// Wait for a row that is not committed yet. A row that is rolled back gives its number to another: the
    /// newest waiter counts.
    pub(crate) fn register(self: &Arc<Self>, seq: i64) -> Confirmation {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        self.entries.lock().insert(seq, (ticket, sender));
        Confirmation { seq, ticket, receiver, waiters: Arc::clone(self) }
    }

    /// For which rows somebody waits.
    pub(crate) fn waiting(&self) -> Vec<i64> {
        self.entries.lock().keys().copied().collect()
    }

    /// Tell whoever waits; `false` if nobody does.
    pub(crate) fn settle(&self, seq: i64, verdict: Verdict) -> bool {
        let entry = self.entries.lock().remove(&seq);
        entry.is_some_and(|(_, sender)| sender.send(verdict).is_ok())
    }
}

/// A place among the waiters, given up when it is dropped.
pub(crate) struct Confirmation {
    seq: i64,
    ticket: u64,
    receiver: oneshot::Receiver<Verdict>,
    waiters: Arc<Waiters>,
}

impl Confirmation {
    /// Until the relay has spoken.
    pub(crate) async fn wait(mut self) -> Verdict {
        match (&mut self.receiver).await {
            Ok(verdict) => verdict,
            Err(_) => Err(StorageError::Other("the outbox was closed before the bus held the event".to_owned())),
        }
    }
}

impl Drop for Confirmation {
    fn drop(&mut self) {
        let mut entries = self.waiters.entries.lock();
        if entries.get(&self.seq).is_some_and(|(ticket, _)| *ticket == self.ticket) {
            entries.remove(&self.seq);
        }
    }
}
