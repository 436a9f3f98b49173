//! What a component knows of the events it handles: marks of the handled, failed attempts, dead letters.

use bytes::Bytes;
use hull_invocation::{Event, EventKey};
use rusqlite::{OptionalExtension, Row};

use super::scope::Scope;
use crate::error::StorageError;
use crate::event::{
    DeadLetter, DeadLetterFilter, DeadLetterKind, EventIdentity, EventState, Finished, StoredDeadLetter, headers_from,
    headers_text, short_reason,
};
use crate::operation::{Growth, Operation};
use crate::options::Sabotage;

/// How many dead letters one page of a listing has at most.
pub(crate) const PAGE_LETTERS_MAX: usize = 500;
/// How many marks are looked at in one transaction when old ones are taken out.
pub(crate) const PRUNE_CHUNK: i64 = 5000;

/// "This event is handled", as part of the unit of work that handled it.
pub(crate) struct Mark(pub(crate) EventIdentity);

impl Operation for Mark {
    type Output = Finished;

    fn growth(&self) -> Growth {
        Growth::Host
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Finished, StorageError> {
        if scope.connection.place.sabotage == Some(Sabotage::HandledMarks) {
            return Ok(Finished::Committed);
        }
        let EventIdentity { key, content_hash } = &self.0;
        let sql = "INSERT INTO hull_handled (id, source, content_hash, handled_ms) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO NOTHING";
        let now_ms = hull_clock::unix_ms() as i64;
        if scope.host_execute(sql, (&key.id, &key.source, content_hash, now_ms))? == 0 {
            return match handled(scope, key)? {
                Some(known) if known == *content_hash => Ok(Finished::AlreadyHandled),
                _ => Err(id_reused(key)),
            };
        }
        forget_attempts(scope, key)?;
        let sql = "DELETE FROM hull_dead_letters \
                   WHERE id = ?1 AND source = ?2 AND content_hash = ?3 AND kind = ?4";
        let incoming = DeadLetterKind::Incoming.number();
        scope.host_execute(sql, (&key.id, &key.source, content_hash, incoming))?;
        Ok(Finished::Committed)
    }
}

/// What is known of events, in their order.
pub(crate) struct StatesOf(pub(crate) Vec<EventIdentity>);

impl Operation for StatesOf {
    type Output = Vec<EventState>;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Vec<EventState>, StorageError> {
        self.0.iter().map(|identity| state(scope, identity)).collect()
    }
}

fn state(scope: &Scope<'_>, EventIdentity { key, content_hash }: &EventIdentity) -> Result<EventState, StorageError> {
    let handled = handled(scope, key)?;
    let sql = "SELECT letter FROM hull_dead_letters \
               WHERE id = ?1 AND source = ?2 AND content_hash = ?3 AND kind = ?4";
    let incoming = DeadLetterKind::Incoming.number();
    let mut statement = scope.host(sql)?;
    let dead_letter = statement
        .query_row((&key.id, &key.source, content_hash, incoming), |row| row.get(0))
        .optional()
        .map_err(|error| scope.host_failure(&error))?;
    Ok(EventState { handled, dead_letter, attempts: attempts(scope, key)? })
}

/// One more failed attempt; none if the event was handled after all: whoever waited for its commit may have given up
/// before the answer came.
pub(crate) struct RecordFailure {
    pub(crate) identity: EventIdentity,
    pub(crate) reason: String,
}

impl Operation for RecordFailure {
    type Output = Option<u32>;

    fn growth(&self) -> Growth {
        Growth::Host
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Option<u32>, StorageError> {
        let EventIdentity { key, content_hash } = &self.identity;
        if handled(scope, key)? == Some(*content_hash) {
            return Ok(None);
        }
        let sql = "INSERT INTO hull_attempts (id, source, attempts, reason, failed_ms) VALUES (?1, ?2, 1, ?3, ?4) \
                   ON CONFLICT DO UPDATE SET attempts = attempts + 1, reason = excluded.reason, \
                   failed_ms = excluded.failed_ms";
        let now_ms = hull_clock::unix_ms() as i64;
        scope.host_execute(sql, (&key.id, &key.source, &*short_reason(&self.reason), now_ms))?;
        attempts(scope, key).map(Some)
    }
}

/// Put an event with the dead letters; one that is there already gets the new reason, one that came in and was
/// handled after all is not buried.
pub(crate) struct Bury(pub(crate) DeadLetter);

impl Operation for Bury {
    type Output = Option<i64>;

    fn growth(&self) -> Growth {
        match self.0.kind {
            // It would come again; the marks of those that were handled must not be in want of its room.
            DeadLetterKind::Incoming => Growth::Events,
            // It leaves the outbox for here.
            DeadLetterKind::Outgoing => Growth::Host,
        }
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Option<i64>, StorageError> {
        let letter = &self.0;
        let event = &letter.event;
        let content_hash = EventIdentity::of(event).content_hash;
        if letter.kind == DeadLetterKind::Incoming && handled(scope, &event.key)? == Some(content_hash) {
            return Ok(None);
        }
        let sql = "INSERT INTO hull_dead_letters \
                   (kind, id, source, content_hash, subject, time, headers, payload, reason, attempts, died_ms) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
                   ON CONFLICT (id, source, content_hash, kind) DO UPDATE SET \
                   reason = excluded.reason, attempts = excluded.attempts, died_ms = excluded.died_ms \
                   RETURNING letter";
        let mut statement = scope.host(sql)?;
        let stored = statement.query_row(
            (
                letter.kind.number(),
                &event.key.id,
                &event.key.source,
                content_hash,
                &event.subject,
                &event.time,
                headers_text(&event.headers),
                &event.payload[..],
                &*short_reason(&letter.reason),
                letter.attempts,
                letter.died_at_ms as i64,
            ),
            |row| row.get(0),
        );
        let id = stored.map_err(|error| scope.host_failure(&error))?;
        forget_attempts(scope, &event.key)?;
        Ok(Some(id))
    }
}

/// Dead letters after an id, oldest first.
pub(crate) struct ListDeadLetters {
    pub(crate) filter: DeadLetterFilter,
    pub(crate) after: i64,
    pub(crate) limit: usize,
}

impl Operation for ListDeadLetters {
    type Output = Vec<StoredDeadLetter>;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        let sql = "SELECT letter, kind, id, source, subject, time, headers, payload, reason, attempts, died_ms \
                   FROM hull_dead_letters WHERE letter > ?1 AND (?2 IS NULL OR subject = ?2) \
                   AND (?3 IS NULL OR instr(reason, ?3) > 0) ORDER BY letter LIMIT ?4";
        let filter = &self.filter;
        let limit = self.limit.min(PAGE_LETTERS_MAX) as i64;
        let mut statement = scope.host(sql)?;
        let letters: rusqlite::Result<Vec<_>> = statement
            .query_map((self.after, &filter.subject, &filter.reason, limit), letter_from)
            .and_then(Iterator::collect);
        letters.map_err(|error| scope.host_failure(&error))
    }
}

/// One dead letter.
pub(crate) struct GetDeadLetter(pub(crate) i64);

impl Operation for GetDeadLetter {
    type Output = Option<StoredDeadLetter>;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        let sql = "SELECT letter, kind, id, source, subject, time, headers, payload, reason, attempts, died_ms \
                   FROM hull_dead_letters WHERE letter = ?1";
        let letter = scope.host(sql)?.query_row([self.0], letter_from).optional();
        letter.map_err(|error| scope.host_failure(&error))
    }
}

/// Take a dead letter out for good.
pub(crate) struct DeleteDeadLetter(pub(crate) i64);

impl Operation for DeleteDeadLetter {
    type Output = bool;

    fn growth(&self) -> Growth {
        Growth::Host
    }

    fn run(&self, scope: &Scope<'_>) -> Result<bool, StorageError> {
        Ok(scope.host_execute("DELETE FROM hull_dead_letters WHERE letter = ?1", [self.0])? > 0)
    }
}

/// Take out marks and attempts older than a time, some at once. The output is where to go on and how many went.
pub(crate) struct Prune {
    pub(crate) before_ms: u64,
    pub(crate) after: (String, String),
}

impl Operation for Prune {
    type Output = (Option<(String, String)>, usize);

    fn growth(&self) -> Growth {
        Growth::Host
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        let before_ms = self.before_ms as i64;
        let (id, source) = &self.after;
        let sql = "SELECT id, source FROM hull_handled WHERE (id, source) > (?1, ?2) \
                   ORDER BY id, source LIMIT 1 OFFSET ?3";
        let chunk_end = scope
            .host(sql)?
            .query_row((id, source, PRUNE_CHUNK), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(|error| scope.host_failure(&error))?;
        let pruned = if let Some((end_id, end_source)) = &chunk_end {
            let end: (&String, &String) = (end_id, end_source);
            let sql = "DELETE FROM hull_handled WHERE (id, source) > (?1, ?2) AND (id, source) <= (?3, ?4) \
                       AND handled_ms < ?5";
            scope.host_execute(sql, (id, source, end.0, end.1, before_ms))?
        } else {
            scope.host_execute("DELETE FROM hull_attempts WHERE failed_ms < ?1", [before_ms])?;
            let sql = "DELETE FROM hull_handled WHERE (id, source) > (?1, ?2) AND handled_ms < ?3";
            scope.host_execute(sql, (id, source, before_ms))?
        };
        Ok((chunk_end, pruned))
    }
}

fn handled(scope: &Scope<'_>, key: &EventKey) -> Result<Option<[u8; 32]>, StorageError> {
    let mut statement = scope.host("SELECT content_hash FROM hull_handled WHERE id = ?1 AND source = ?2")?;
    let hash = statement.query_row((&key.id, &key.source), |row| row.get(0)).optional();
    hash.map_err(|error| scope.host_failure(&error))
}

fn attempts(scope: &Scope<'_>, key: &EventKey) -> Result<u32, StorageError> {
    let mut statement = scope.host("SELECT attempts FROM hull_attempts WHERE id = ?1 AND source = ?2")?;
    let attempts = statement.query_row((&key.id, &key.source), |row| row.get(0)).optional();
    Ok(attempts.map_err(|error| scope.host_failure(&error))?.unwrap_or(0))
}

fn forget_attempts(scope: &Scope<'_>, key: &EventKey) -> Result<(), StorageError> {
    let sql = "DELETE FROM hull_attempts WHERE id = ?1 AND source = ?2";
    scope.host_execute(sql, (&key.id, &key.source)).map(drop)
}

fn letter_from(row: &Row<'_>) -> rusqlite::Result<StoredDeadLetter> {
    let event = Event {
        key: EventKey { id: row.get(2)?, source: row.get(3)? },
        subject: row.get(4)?,
        time: row.get(5)?,
        headers: headers_from(&row.get::<_, String>(6)?),
        payload: Bytes::from(row.get::<_, Vec<u8>>(7)?),
    };
    let letter = DeadLetter {
        kind: DeadLetterKind::of_number(row.get(1)?),
        event,
        reason: row.get(8)?,
        attempts: row.get(9)?,
        died_at_ms: row.get::<_, i64>(10)? as u64,
    };
    Ok(StoredDeadLetter { id: row.get(0)?, letter })
}

fn id_reused(key: &EventKey) -> StorageError {
    StorageError::IdReused { source_name: key.source.clone(), id: key.id.clone() }
}
