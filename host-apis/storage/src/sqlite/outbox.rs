//! The outbox: events that are committed with the unit of work that published them, until the bus holds them.

use bytes::Bytes;
use rusqlite::Row;

use super::scope::Scope;
use crate::error::StorageError;
use crate::event::{OutboxRow, OutgoingEvent, due_ms, headers_from, headers_text};
use crate::operation::{Growth, Operation};
use crate::waiters::Confirmation;

/// How many rows the relay gets at once at most.
pub(crate) const ROWS_MAX: usize = 1000;
/// How many bytes of payload the relay gets at once, unless the first event alone has more.
pub(crate) const BYTES_MAX: usize = 8 << 20;

/// Append an event.
pub(crate) struct Publish {
    pub(crate) event: OutgoingEvent,
    /// Whether somebody waits for the bus.
    pub(crate) confirm: bool,
}

impl Operation for Publish {
    type Output = Option<Confirmation>;

    fn growth(&self) -> Growth {
        Growth::Events
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        let event = &self.event;
        let sql = "INSERT INTO hull_outbox (due_ms, id, subject, time, headers, payload) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING seq";
        let due_ms = due_ms(event)?;
        let headers = headers_text(&event.headers);
        let mut statement = scope.host(sql)?;
        let seq: i64 = statement
            .query_row((due_ms, &event.id, &event.subject, &event.time, headers, &event.payload[..]), |row| row.get(0))
            .map_err(|error| scope.host_failure(&error))?;
        scope.outbox_touched.set(true);
        Ok(self.confirm.then(|| scope.waiters.register(seq)))
    }
}

/// Everything that is due, delayed events first, each kind in the order of commits.
pub(crate) struct Next {
    pub(crate) limit: usize,
    pub(crate) now_ms: u64,
}

impl Operation for Next {
    type Output = Vec<OutboxRow>;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        let delayed = "SELECT seq, due_ms, id, subject, time, headers, payload FROM hull_outbox \
                       WHERE due_ms > 0 AND due_ms <= ?1 ORDER BY due_ms, seq LIMIT ?2";
        let at_once = "SELECT seq, due_ms, id, subject, time, headers, payload FROM hull_outbox \
                       WHERE due_ms = 0 AND ?1 >= 0 ORDER BY seq LIMIT ?2";
        let limit = self.limit.min(ROWS_MAX);
        let (mut events, mut bytes) = (Vec::new(), 0);
        for sql in [delayed, at_once] {
            let mut statement = scope.host(sql)?;
            let found = statement.query_map((self.now_ms as i64, (limit - events.len()) as i64), row_from);
            for row in found.map_err(|error| scope.host_failure(&error))? {
                let row = row.map_err(|error| scope.host_failure(&error))?;
                bytes += row.event.payload.len();
                if bytes > BYTES_MAX && !events.is_empty() {
                    return Ok(events);
                }
                events.push(row);
            }
        }
        Ok(events)
    }
}

/// When the next delayed event is due, in milliseconds since 1970.
pub(crate) struct NextDue;

impl Operation for NextDue {
    type Output = Option<u64>;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        let mut statement = scope.host("SELECT min(due_ms) FROM hull_outbox WHERE due_ms > 0")?;
        let due: Option<i64> = statement.query_row([], |row| row.get(0)).map_err(|error| scope.host_failure(&error))?;
        Ok(due.map(|due| due as u64))
    }
}

/// The bus holds these events.
pub(crate) struct Remove(pub(crate) Vec<i64>);

impl Operation for Remove {
    type Output = ();

    fn growth(&self) -> Growth {
        Growth::Host
    }

    fn run(&self, scope: &Scope<'_>) -> Result<(), StorageError> {
        self.0.iter().try_for_each(|seq| scope.host_execute("DELETE FROM hull_outbox WHERE seq = ?1", [seq]).map(drop))
    }
}

fn row_from(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    let due_ms: i64 = row.get(1)?;
    let event = OutgoingEvent {
        id: row.get(2)?,
        subject: row.get(3)?,
        time: row.get(4)?,
        headers: headers_from(&row.get::<_, String>(5)?),
        payload: Bytes::from(row.get::<_, Vec<u8>>(6)?),
        deliver_at_ms: (due_ms > 0).then_some(due_ms as u64),
    };
    Ok(OutboxRow { seq: row.get(0)?, event })
}
