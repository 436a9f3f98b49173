//! The outbox: events that are committed with the unit of work that published them, until the bus holds them. Inside a
//! unit they are kept by the host and put into it with the commit, so that they come in the order in which units end.

use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::operation::{OnPostgres, Runs};
use super::relay::tell;
use super::scope::{Scope, column};
use crate::error::StorageError;
use crate::event::{OutboxRow, OutgoingEvent, due_ms, headers_from, headers_text};
use crate::operation::Operation;
use crate::sqlite::{Next, NextDue, OUTBOX_BYTES_MAX, OUTBOX_ROWS_MAX, Publish, Remove};
use crate::waiters::Confirmation;

/// How often a host that does not relay looks whether it may, and whether what it waits for was published.
const TAKE_OVER_MS: u64 = 1_000;
const CONFIRM_MS: u64 = 20;
/// How many events one unit may publish.
const UNIT_EVENTS_MAX: usize = 10_000;

impl OnPostgres for Publish {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Option<Confirmation>, StorageError> {
        due_ms(&self.event)?;
        if scope.published.len() >= UNIT_EVENTS_MAX {
            return Err(StorageError::Invalid(format!("a unit of work publishes {UNIT_EVENTS_MAX} events at most")));
        }
        let before = scope.before_growth(self.growth()).await?;
        scope.outbox_touched = true;
        let bytes = self.event.payload.len() as u64;
        if scope.in_unit {
            // It grows with the commit: what is refused here is what comes when it is full already.
            scope.check_room(self.growth(), before, bytes)?;
            scope.published.push(self.event.clone());
            return Ok(None);
        }
        let seqs = put_all(scope, std::slice::from_ref(&self.event)).await?;
        scope.after_growth(self.growth(), before, 1, bytes).await?;
        let seq = seqs.first().copied().filter(|_| self.confirm);
        Ok(seq.map(|seq| scope.shared.waiters.register(seq)))
    }
}

/// Put events into the outbox, in their order; their places in it.
pub(super) async fn put_all(scope: &Scope<'_>, events: &[OutgoingEvent]) -> Result<Vec<i64>, StorageError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let due: Vec<i64> = events.iter().map(due_ms).collect::<Result<_, _>>()?;
    let column_of = |of: fn(&OutgoingEvent) -> &str| events.iter().map(of).collect::<Vec<&str>>();
    let (ids, subjects, times) =
        (column_of(|event| &event.id), column_of(|event| &event.subject), column_of(|event| &event.time));
    let heads: Vec<String> = events.iter().map(|event| headers_text(&event.headers)).collect();
    let payloads: Vec<&[u8]> = events.iter().map(|event| &event.payload[..]).collect();
    let rows = scope
        .host(
            "SELECT * FROM {}.hull_publish($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&scope.opened.key, Type::BYTEA),
                (&due, Type::INT8_ARRAY),
                (&ids, Type::TEXT_ARRAY),
                (&subjects, Type::TEXT_ARRAY),
                (&times, Type::TEXT_ARRAY),
                (&heads, Type::TEXT_ARRAY),
                (&payloads, Type::BYTEA_ARRAY),
            ],
        )
        .await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

impl OnPostgres for Next {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Vec<OutboxRow>, StorageError> {
        if !scope.shared.server.relays.is_ours(scope.shared).await? {
            tell(scope).await?;
            confirm_elsewhere(scope).await?;
            return Ok(Vec::new());
        }
        // Delayed events first, each kind in its order; no more than a batch's bytes after the first.
        let sql = "SELECT seq, due_ms, id, subject, time, headers, payload FROM ( \
                     SELECT *, sum(octet_length(payload)) OVER (ORDER BY due_ms = 0, due_ms, seq) AS bytes \
                     FROM ((SELECT * FROM {}.hull_outbox WHERE due_ms > 0 AND due_ms <= $1 \
                            ORDER BY due_ms, seq LIMIT $2) \
                           UNION ALL \
                           (SELECT * FROM {}.hull_outbox WHERE due_ms = 0 ORDER BY seq LIMIT $2)) AS due \
                     ORDER BY due_ms = 0, due_ms, seq LIMIT $2) AS batch \
                   WHERE bytes - octet_length(payload) <= $3 ORDER BY due_ms = 0, due_ms, seq";
        let now_ms = self.now_ms.min(i64::MAX as u64) as i64;
        let (limit, bytes_max) = (self.limit.min(OUTBOX_ROWS_MAX) as i64, OUTBOX_BYTES_MAX as i64);
        let rows =
            scope.host_kept(sql, &[(&now_ms, Type::INT8), (&limit, Type::INT8), (&bytes_max, Type::INT8)]).await?;
        rows.iter().map(row_from).collect()
    }
}

/// Another host's relay publishes: those who wait here are told by what has left the outbox.
async fn confirm_elsewhere(scope: &Scope<'_>) -> Result<(), StorageError> {
    let waiting = scope.shared.waiters.waiting();
    if waiting.is_empty() {
        return Ok(());
    }
    let rows =
        scope.host("SELECT seq FROM {}.hull_outbox WHERE seq = ANY ($1)", &[(&waiting, Type::INT8_ARRAY)]).await?;
    let still: Vec<i64> = rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
    for seq in waiting.into_iter().filter(|seq| !still.contains(seq)) {
        scope.shared.waiters.settle(seq, Ok(()));
    }
    Ok(())
}

impl OnPostgres for NextDue {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Option<u64>, StorageError> {
        if !scope.shared.server.relays.is_ours(scope.shared).await? {
            // The other host may be gone by then, and may have published what somebody here waits for.
            let wait = if scope.shared.waiters.waiting().is_empty() { TAKE_OVER_MS } else { CONFIRM_MS };
            return Ok(Some(hull_clock::unix_ms() + wait));
        }
        let sql = "SELECT min(due_ms) FROM {}.hull_outbox WHERE due_ms > 0";
        let row = scope.host_kept(sql, &[]).await?.into_iter().next();
        let due = row.map_or(Ok(None), |row| column::<Option<i64>>(&row, 0))?;
        Ok(due.map(|due| due as u64))
    }
}

impl OnPostgres for Remove {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<(), StorageError> {
        let sql = "DELETE FROM {}.hull_outbox WHERE seq = ANY ($1)";
        scope.host_kept(sql, &[(&self.0, Type::INT8_ARRAY)]).await.map(drop)
    }
}

fn row_from(row: &Row) -> Result<OutboxRow, StorageError> {
    let due_ms: i64 = column(row, 1)?;
    let event = OutgoingEvent {
        id: column(row, 2)?,
        subject: column(row, 3)?,
        time: column(row, 4)?,
        headers: headers_from(column(row, 5)?),
        payload: Bytes::copy_from_slice(column(row, 6)?),
        deliver_at_ms: (due_ms > 0).then_some(due_ms as u64),
    };
    Ok(OutboxRow { seq: column(row, 0)?, event })
}
