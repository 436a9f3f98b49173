//! What the bookkeeping of events is about: the key of idempotence with its content, outgoing events, dead letters.

use std::borrow::Cow;

use bytes::Bytes;
use hull_invocation::{Event, EventKey};
use sha2::{Digest, Sha256};

use crate::error::StorageError;

/// An event as the handled mark knows it: its key, and a digest of its content so that a key that is used twice
/// for different things is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventIdentity {
    /// Source and id.
    pub key: EventKey,
    /// SHA-256 over subject and payload. Headers are left out: a republished event has another trace.
    pub content_hash: [u8; 32],
}

impl EventIdentity {
    /// The identity of an event.
    pub fn of(event: &Event) -> Self {
        let mut digest = Sha256::new();
        digest.update(event.subject.as_bytes());
        digest.update([0]);
        digest.update(&event.payload);
        Self { key: event.key.clone(), content_hash: digest.finalize().into() }
    }
}

/// How the unit of work around an event handler ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// Its writes, what it published and the mark are durable.
    Committed,
    /// Another delivery had handled it; everything of this one is undone.
    AlreadyHandled,
}

/// What a component knows of an event before it handles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventState {
    /// It has been handled; the digest is of what was handled.
    pub handled: Option<[u8; 32]>,
    /// Its dead letter, if it is among those.
    pub dead_letter: Option<i64>,
    /// How many attempts have failed so far.
    pub attempts: u32,
}

/// An event on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingEvent {
    /// With the component as the source, the key of idempotence.
    pub id: String,
    /// Below the app: `orders.created`.
    pub subject: String,
    /// RFC 3339.
    pub time: String,
    /// All headers that go out with it, trace and correlation among them.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub payload: Bytes,
    /// Milliseconds since 1970; it stays in the outbox until then.
    pub deliver_at_ms: Option<u64>,
}

/// An event in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its place in the order of commits.
    pub seq: i64,
    /// The event.
    pub event: OutgoingEvent,
}

/// Why an event is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterKind {
    /// Its handler rejected it, or failed as often as it may.
    Incoming,
    /// It had been published, and may not or cannot go out.
    Outgoing,
}

/// An event that will not be tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which way it was going.
    pub kind: DeadLetterKind,
    /// The event.
    pub event: Event,
    /// What went wrong, for people.
    pub reason: String,
    /// How many attempts there were.
    pub attempts: u32,
    /// Milliseconds since 1970.
    pub died_at_ms: u64,
}

/// A dead letter as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Names it within its component.
    pub id: i64,
    /// The letter.
    pub letter: DeadLetter,
}

/// Which dead letters to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetterFilter {
    /// Only those of exactly this subject.
    pub subject: Option<String>,
    /// Only those whose reason contains this text.
    pub reason: Option<String>,
}

/// How much of a failure's text is kept, in bytes.
const REASON_BYTES_MAX: usize = 4096;
/// The last millisecond that the time of an event can name: RFC 3339 has four digits for the year.
const DELIVER_AT_MS_MAX: i64 = 253_402_300_799_999;

impl DeadLetterKind {
    /// As it is kept.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Incoming => 0,
            Self::Outgoing => 1,
        }
    }

    /// The reverse.
    pub(crate) fn of_number(number: i64) -> Self {
        if number == Self::Outgoing.number() { Self::Outgoing } else { Self::Incoming }
    }
}

/// When an event is to go out, as it is kept: 0 for one that is due at once.
pub(crate) fn due_ms(event: &OutgoingEvent) -> Result<i64, StorageError> {
    let at_ms = i64::try_from(event.deliver_at_ms.unwrap_or(0)).ok();
    at_ms.filter(|at_ms| *at_ms <= DELIVER_AT_MS_MAX).ok_or_else(|| {
        let text = "deliver-at counts milliseconds since 1970, and lies before the end of the year 9999";
        StorageError::Invalid(text.to_owned())
    })
}

/// Headers as they are kept: JSON, so that a person who looks into the database can read them.
pub(crate) fn headers_text(headers: &[(String, String)]) -> String {
    serde_json::to_string(headers).unwrap_or_else(|_| "[]".to_owned())
}

/// The reverse; what cannot be read is no header.
pub(crate) fn headers_from(text: &str) -> Vec<(String, String)> {
    serde_json::from_str(text).unwrap_or_default()
}

/// As much of a failure's text as is kept, cut between characters. A NUL is what PostgreSQL refuses with all that comes
/// with it, and a guest may write one into why it rejects an event.
pub(crate) fn short_reason(text: &str) -> Cow<'_, str> {
    let text = &text[..text.floor_char_boundary(REASON_BYTES_MAX)];
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
