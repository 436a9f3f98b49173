//! From what a guest asks to publish to what goes into the outbox: checked, named, and marked with its chain.

use hull_invocation::{CORRELATION_HEADER, Event, EventKey, HOPS_HEADER, Invocation, TRACEPARENT_HEADER};
use hull_storage::{OutgoingEvent, StorageError};

use crate::bindings::hull::messaging::types::{Error, Message};
use crate::policy::{MessagingPolicy, header_bytes};

/// All headers of a message together, in bytes.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 256;
/// How far ahead an event may be published: what waits longer belongs into the component's own tables, where it can be
/// seen and changed.
const DELIVER_AHEAD_DAYS_MAX: u64 = 30;
const DELIVER_AHEAD_MS_MAX: u64 = DELIVER_AHEAD_DAYS_MAX * 24 * 60 * 60 * 1000;

/// Check a message and complete it.
pub(crate) fn event_of(
    policy: &MessagingPolicy,
    caller: &Invocation,
    message: Message,
) -> Result<OutgoingEvent, Error> {
    policy.check_subject(&message.subject)?;
    policy.check_size(&message.payload, &message.headers)?;
    policy.check_schema(&message.subject, &message.payload)?;
    let hops = policy.check_hops(caller.hops)?;
    let mut headers = checked_headers(message.headers)?;
    headers.push((TRACEPARENT_HEADER.to_owned(), caller.trace.to_string()));
    headers.push((CORRELATION_HEADER.to_owned(), caller.correlation_id.to_string()));
    headers.push((HOPS_HEADER.to_owned(), hops.to_string()));
    let id = match message.id {
        Some(id) => checked_id(id)?,
        None => hull_clock::time_ordered_id().to_string(),
    };
    let deliver_at_ms = checked_time(message.deliver_at, hull_clock::unix_ms())?;
    policy.check_rate()?;
    Ok(OutgoingEvent {
        id,
        subject: message.subject,
        time: hull_clock::rfc3339_now(),
        headers,
        payload: message.payload.into(),
        deliver_at_ms,
    })
}

/// An event that does not pass through the outbox, with the source that the relay would give it.
pub(crate) fn identified(policy: &MessagingPolicy, event: OutgoingEvent) -> Event {
    Event {
        key: EventKey { source: policy.source(), id: event.id },
        subject: event.subject,
        time: event.time,
        headers: event.headers,
        payload: event.payload,
    }
}

/// A time that has passed is none: the event keeps its place among those that are published with it.
fn checked_time(deliver_at_ms: Option<u64>, now_ms: u64) -> Result<Option<u64>, Error> {
    match deliver_at_ms {
        Some(at_ms) if at_ms.saturating_sub(now_ms) > DELIVER_AHEAD_MS_MAX => Err(Error::Invalid(format!(
            "deliver-at counts milliseconds since 1970 and lies {DELIVER_AHEAD_DAYS_MAX} days ahead at most; {at_ms} is \
             later: keep it in a table and publish it when its time is near"
        ))),
        later => Ok(later.filter(|at_ms| *at_ms > now_ms)),
    }
}

fn checked_id(id: String) -> Result<String, Error> {
    let fits = !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control);
    fits.then_some(id)
        .ok_or_else(|| Error::Invalid(format!("an id has 1 to {ID_BYTES_MAX} bytes and no control characters")))
}

/// Header names in lower case; those that the host sets are refused.
pub(crate) fn checked_headers(headers: Vec<(String, String)>) -> Result<Vec<(String, String)>, Error> {
    let bytes = header_bytes(&headers);
    if bytes > HEADER_BYTES_MAX {
        return Err(Error::Invalid(format!("the headers have {bytes} bytes; {HEADER_BYTES_MAX} is the most")));
    }
    headers.into_iter().map(checked_header).collect()
}

fn checked_header((name, value): (String, String)) -> Result<(String, String), Error> {
    let name = name.to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) || value.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("the header {name:?} cannot be sent")));
    }
    let reserved = name.starts_with("ce-")
        || name.starts_with("nats-")
        || name.starts_with("x-hull-")
        || [TRACEPARENT_HEADER, CORRELATION_HEADER].contains(&name.as_str());
    if reserved {
        return Err(Error::Invalid(format!("the header {name} is set by the host")));
    }
    Ok((name, value))
}

/// What storage and the relay report of a publish, in the interface's words.
pub(crate) fn publish_failure(error: &StorageError) -> Error {
    let text = error.to_string();
    match error {
        StorageError::IdReused { .. } => Error::IdReused(text),
        StorageError::QuotaExceeded { .. } | StorageError::Overloaded { .. } => Error::Full(text),
        StorageError::Denied(_) | StorageError::Refused(_) => Error::Denied(text),
        StorageError::Invalid(_) => Error::Invalid(text),
        StorageError::Timeout(_) => Error::Timeout,
        StorageError::Conflict | StorageError::WouldDeadlock | StorageError::Expired(_) => Error::UnitFailed(text),
        _ => Error::Unavailable(text),
    }
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;
