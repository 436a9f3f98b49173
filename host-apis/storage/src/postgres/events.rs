//! What a component knows of the events it handles: marks of the handled, failed attempts, dead letters. All but the mark
//! is written on the host's own connections.

use bytes::Bytes;
use hull_invocation::{Event, EventKey};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::operation::{OnPostgres, Runs};
use super::scope::{Scope, column};
use crate::error::StorageError;
use crate::event::{
    DeadLetter, DeadLetterKind, EventIdentity, EventState, Finished, StoredDeadLetter, headers_from, headers_text,
    short_reason,
};
use crate::options::Sabotage;
use crate::sqlite::{
    Bury, DeleteDeadLetter, GetDeadLetter, ListDeadLetters, Mark, PAGE_LETTERS_MAX, PRUNE_CHUNK, Prune, RecordFailure,
    StatesOf,
};

/// Write the mark, in the transaction that is open. Where the event is handled already, the transaction has ended.
pub(super) async fn mark(scope: &Scope<'_>, identity: Option<&EventIdentity>) -> Result<Finished, StorageError> {
    let Some(EventIdentity { key, content_hash }) = identity else { return Ok(Finished::Committed) };
    let now_ms = hull_clock::unix_ms() as i64;
    let sql = format!("SELECT {}.hull_mark($1, $2, $3, $4, $5)", scope.opened.host_schema);
    let hash: &[u8] = content_hash;
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&scope.opened.key, Type::BYTEA),
        (&key.id, Type::TEXT),
        (&key.source, Type::TEXT),
        (&hash, Type::BYTEA),
        (&now_ms, Type::INT8),
    ];
    let Err(error) = scope.client().query_typed(&sql, &parameters).await else { return Ok(Finished::Committed) };
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("HU001") => Ok(Finished::AlreadyHandled),
        Some("HU002") => Err(StorageError::IdReused { source_name: key.source.clone(), id: key.id.clone() }),
        _ => Err(scope.failure(&error).await),
    }
}

impl OnPostgres for Mark {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Finished, StorageError> {
        if scope.shared.sabotage == Some(Sabotage::HandledMarks) {
            return Ok(Finished::Committed);
        }
        let finished = mark(scope, Some(&self.0)).await?;
        if finished == Finished::AlreadyHandled {
            // What ends the unit it was part of: here that is only itself.
            scope.link.send("ROLLBACK");
            scope.link.send("BEGIN");
        }
        Ok(finished)
    }
}

impl OnPostgres for StatesOf {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Vec<EventState>, StorageError> {
        let ids: Vec<&str> = self.0.iter().map(|identity| identity.key.id.as_str()).collect();
        let sources: Vec<&str> = self.0.iter().map(|identity| identity.key.source.as_str()).collect();
        let hashes: Vec<&[u8]> = self.0.iter().map(|identity| &identity.content_hash[..]).collect();
        let sql = "SELECT (SELECT content_hash FROM {}.hull_handled h WHERE h.id = e.id AND h.source = e.source), \
                   (SELECT letter FROM {}.hull_dead_letters d WHERE d.id = e.id AND d.source = e.source \
                    AND d.content_hash = e.hash AND d.kind = 0), \
                   (SELECT attempts FROM {}.hull_attempts a WHERE a.id = e.id AND a.source = e.source) \
                   FROM unnest($1, $2, $3) WITH ORDINALITY AS e (id, source, hash, place) ORDER BY place";
        let parameters =
            [(&ids as _, Type::TEXT_ARRAY), (&sources as _, Type::TEXT_ARRAY), (&hashes as _, Type::BYTEA_ARRAY)];
        let state = |row: &Row| {
            let handled: Option<&[u8]> = column(row, 0)?;
            let attempts: Option<i64> = column(row, 2)?;
            Ok(EventState {
                handled: handled.and_then(|hash| hash.try_into().ok()),
                dead_letter: column(row, 1)?,
                attempts: attempts.unwrap_or(0) as u32,
            })
        };
        scope.host_kept(sql, &parameters).await?.iter().map(state).collect()
    }
}

impl OnPostgres for RecordFailure {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Option<u32>, StorageError> {
        let EventIdentity { key, content_hash } = &self.identity;
        if is_handled(scope, key, content_hash).await? {
            return Ok(None);
        }
        let sql = "INSERT INTO {}.hull_attempts AS a (id, source, attempts, reason, failed_ms) \
                   VALUES ($1, $2, 1, $3, $4) ON CONFLICT (id, source) DO UPDATE \
                   SET attempts = a.attempts + 1, reason = excluded.reason, failed_ms = excluded.failed_ms \
                   RETURNING attempts";
        let (reason, now_ms) = (short_reason(&self.reason), hull_clock::unix_ms() as i64);
        let row = scope
            .host_row(
                sql,
                &[(&key.id, Type::TEXT), (&key.source, Type::TEXT), (&reason, Type::TEXT), (&now_ms, Type::INT8)],
            )
            .await?;
        row.map(|row| column::<i64>(&row, 0).map(|attempts| attempts as u32)).transpose()
    }
}

impl OnPostgres for Bury {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Option<i64>, StorageError> {
        let letter = &self.0;
        let event = &letter.event;
        let content_hash = EventIdentity::of(event).content_hash;
        if letter.kind == DeadLetterKind::Incoming && is_handled(scope, &event.key, &content_hash).await? {
            return Ok(None);
        }
        let growth = crate::operation::Operation::growth(self);
        let before = scope.before_growth(growth).await?;
        let sql = "INSERT INTO {}.hull_dead_letters \
                   (kind, id, source, content_hash, subject, time, headers, payload, reason, attempts, died_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                   ON CONFLICT (id, source, content_hash, kind) DO UPDATE SET \
                   reason = excluded.reason, attempts = excluded.attempts, died_ms = excluded.died_ms \
                   RETURNING letter";
        let (hash, payload): (&[u8], &[u8]) = (&content_hash, &event.payload);
        let headers = headers_text(&event.headers);
        let (kind, attempts) = (letter.kind.number(), i64::from(letter.attempts));
        let (reason, died_ms) = (short_reason(&letter.reason), letter.died_at_ms as i64);
        let stored = scope
            .host_row(
                sql,
                &[
                    (&kind, Type::INT8),
                    (&event.key.id, Type::TEXT),
                    (&event.key.source, Type::TEXT),
                    (&hash, Type::BYTEA),
                    (&event.subject, Type::TEXT),
                    (&event.time, Type::TEXT),
                    (&headers, Type::TEXT),
                    (&payload, Type::BYTEA),
                    (&reason, Type::TEXT),
                    (&attempts, Type::INT8),
                    (&died_ms, Type::INT8),
                ],
            )
            .await?;
        scope.after_growth(growth, before, 1, payload.len() as u64).await?;
        forget_attempts(scope, &event.key).await?;
        stored.map(|row| column(&row, 0)).transpose()
    }
}

impl OnPostgres for ListDeadLetters {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Vec<StoredDeadLetter>, StorageError> {
        let sql = "SELECT letter, kind, id, source, subject, time, headers, payload, reason, attempts, died_ms \
                   FROM {}.hull_dead_letters WHERE letter > $1 AND ($2::text IS NULL OR subject = $2) \
                   AND ($3::text IS NULL OR strpos(reason, $3) > 0) ORDER BY letter LIMIT $4";
        let limit = self.limit.min(PAGE_LETTERS_MAX) as i64;
        let filter = &self.filter;
        let rows = scope
            .host(
                sql,
                &[
                    (&self.after, Type::INT8),
                    (&filter.subject, Type::TEXT),
                    (&filter.reason, Type::TEXT),
                    (&limit, Type::INT8),
                ],
            )
            .await?;
        rows.iter().map(letter_from).collect()
    }
}

impl OnPostgres for GetDeadLetter {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Option<StoredDeadLetter>, StorageError> {
        let sql = "SELECT letter, kind, id, source, subject, time, headers, payload, reason, attempts, died_ms \
                   FROM {}.hull_dead_letters WHERE letter = $1";
        let row = scope.host_row(sql, &[(&self.0, Type::INT8)]).await?;
        row.as_ref().map(letter_from).transpose()
    }
}

impl OnPostgres for DeleteDeadLetter {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<bool, StorageError> {
        let sql = "DELETE FROM {}.hull_dead_letters WHERE letter = $1";
        Ok(scope.host_execute(sql, &[(&self.0, Type::INT8)]).await? > 0)
    }
}

impl OnPostgres for Prune {
    const RUNS: Runs = Runs::AsHost;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Self::Output, StorageError> {
        let before_ms = self.before_ms as i64;
        let (id, source) = &self.after;
        let sql = "SELECT id, source FROM {}.hull_handled WHERE (id, source) > ($1, $2) \
                   ORDER BY id, source LIMIT 1 OFFSET $3";
        let chunk = [(id as _, Type::TEXT), (source as _, Type::TEXT), (&PRUNE_CHUNK as _, Type::INT8)];
        let end = scope.host_row(sql, &chunk).await?;
        let Some(end) = end else {
            let sql = "DELETE FROM {}.hull_attempts WHERE failed_ms < $1";
            scope.host_execute(sql, &[(&before_ms, Type::INT8)]).await?;
            let sql = "DELETE FROM {}.hull_handled WHERE (id, source) > ($1, $2) AND handled_ms < $3";
            let rest = [(id as _, Type::TEXT), (source as _, Type::TEXT), (&before_ms as _, Type::INT8)];
            return Ok((None, scope.host_execute(sql, &rest).await? as usize));
        };
        let (end_id, end_source): (String, String) = (column(&end, 0)?, column(&end, 1)?);
        let sql = "DELETE FROM {}.hull_handled WHERE (id, source) > ($1, $2) AND (id, source) <= ($3, $4) \
                   AND handled_ms < $5";
        let pruned = scope
            .host_execute(
                sql,
                &[
                    (id, Type::TEXT),
                    (source, Type::TEXT),
                    (&end_id, Type::TEXT),
                    (&end_source, Type::TEXT),
                    (&before_ms, Type::INT8),
                ],
            )
            .await?;
        Ok((Some((end_id, end_source)), pruned as usize))
    }
}

async fn is_handled(scope: &Scope<'_>, key: &EventKey, content_hash: &[u8; 32]) -> Result<bool, StorageError> {
    let sql = "SELECT 1 FROM {}.hull_handled WHERE id = $1 AND source = $2 AND content_hash = $3";
    let hash: &[u8] = content_hash;
    let parameters = [(&key.id as _, Type::TEXT), (&key.source as _, Type::TEXT), (&hash as _, Type::BYTEA)];
    Ok(scope.host_row(sql, &parameters).await?.is_some())
}

async fn forget_attempts(scope: &Scope<'_>, key: &EventKey) -> Result<(), StorageError> {
    let sql = "DELETE FROM {}.hull_attempts WHERE id = $1 AND source = $2";
    scope.host_execute(sql, &[(&key.id, Type::TEXT), (&key.source, Type::TEXT)]).await.map(drop)
}

fn letter_from(row: &Row) -> Result<StoredDeadLetter, StorageError> {
    let event = Event {
        key: EventKey { id: column(row, 2)?, source: column(row, 3)? },
        subject: column(row, 4)?,
        time: column(row, 5)?,
        headers: headers_from(column(row, 6)?),
        payload: Bytes::copy_from_slice(column(row, 7)?),
    };
    let letter = DeadLetter {
        kind: DeadLetterKind::of_number(column(row, 1)?),
        event,
        reason: column(row, 8)?,
        attempts: column::<i64>(row, 9)? as u32,
        died_at_ms: column::<i64>(row, 10)? as u64,
    };
    Ok(StoredDeadLetter { id: column(row, 0)?, letter })
}
