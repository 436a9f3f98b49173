//! The outbox as the relay sees it: everything that is committed and that the bus does not hold yet.

use hull_invocation::{Event, EventKey};

use crate::database::Database;
use crate::error::StorageError;
use crate::event::{DeadLetter, DeadLetterKind, OutboxRow};
use crate::options::Sabotage;
use crate::sqlite::{Bury, Next, NextDue, Remove};

/// See the module. One relay per component uses it.
#[derive(Clone)]
pub struct Outbox {
    database: Database,
}

/// For how long events are nowhere if that promise is broken on purpose: who kills the host at some moment is to meet it.
const SABOTAGED_FOR: std::time::Duration = std::time::Duration::from_millis(100);

impl Outbox {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Everything that is due and unpublished, from the oldest on, in the order of commits; delayed events that have
    /// become due come first. At most `limit` rows and some MiB. Rows come again until they are `published`.
    pub async fn next(&self, limit: usize, now_ms: u64) -> Result<Vec<OutboxRow>, StorageError> {
        if !self.database.exists() {
            return Ok(Vec::new());
        }
        let rows = self.database.backend.read(Next { limit, now_ms }, None).await?;
        if self.database.backend.sabotage() == Some(Sabotage::Outbox) {
            self.published(&rows.iter().map(|row| row.seq).collect::<Vec<_>>()).await?;
            if !rows.is_empty() {
                tokio::time::sleep(SABOTAGED_FOR).await;
            }
        }
        Ok(rows)
    }

    /// When the next delayed event is due, in milliseconds since 1970; it may be in the past.
    pub async fn next_due(&self) -> Result<Option<u64>, StorageError> {
        if !self.database.exists() {
            return Ok(None);
        }
        self.database.backend.read(NextDue, None).await
    }

    /// Until something was added after the last `wait` returned. Wakes one waiter; changes while nobody waits are
    /// remembered.
    pub async fn wait(&self) {
        self.database.backend.outbox_changed().notified().await;
    }

    /// The bus holds these events: publishers are told at once, then the rows are taken out.
    pub async fn published(&self, seqs: &[i64]) -> Result<(), StorageError> {
        let waiters = self.database.backend.waiters();
        for seq in seqs {
            waiters.settle(*seq, Ok(()));
        }
        self.database.backend.write(Remove(seqs.to_vec()), None).await
    }

    /// This event may not or can never go out. A publisher that waits gets the reason; otherwise the event goes to
    /// the dead letters, with `source` as the one it would have had.
    pub async fn refused(&self, row: &OutboxRow, source: &str, reason: StorageError) -> Result<(), StorageError> {
        let backend = &self.database.backend;
        let message = reason.to_string();
        if !backend.waiters().settle(row.seq, Err(reason)) {
            let event = Event {
                key: EventKey { source: source.to_owned(), id: row.event.id.clone() },
                subject: row.event.subject.clone(),
                time: row.event.time.clone(),
                headers: row.event.headers.clone(),
                payload: row.event.payload.clone(),
            };
            let kind = DeadLetterKind::Outgoing;
            let letter = DeadLetter { kind, event, reason: message, attempts: 0, died_at_ms: hull_clock::unix_ms() };
            // Burying twice is harmless, losing the event between two transactions would not be.
            backend.write(Bury(letter), None).await?;
        }
        backend.write(Remove(vec![row.seq]), None).await
    }
}
