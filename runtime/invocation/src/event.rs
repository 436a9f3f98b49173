//! Events as every crate between the bus and the guest sees them, and how handling one ended.

use std::time::Duration;

use bytes::Bytes;

/// The header that carries the trace context through an event.
pub const TRACEPARENT_HEADER: &str = "traceparent";
/// The header that carries the correlation id through an event.
pub const CORRELATION_HEADER: &str = "x-correlation-id";
/// The header that counts the events that led to this one.
pub const HOPS_HEADER: &str = "x-hull-hops";
/// An event chain ends after so many.
pub const HOPS_MAX: u16 = 64;

/// The key of idempotence: an event handled once under this key is not handled again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventKey {
    /// The CloudEvents `source`.
    pub source: String,
    /// The CloudEvents `id`, unique within the source.
    pub id: String,
}

/// An event. Fields that CloudEvents calls attributes have fields here; everything else is a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Source and id.
    pub key: EventKey,
    /// Below the app: `orders.created`.
    pub subject: String,
    /// RFC 3339, by the publisher's clock.
    pub time: String,
    /// Name and value, names in lower case; `traceparent` and `x-correlation-id` among them.
    pub headers: Vec<(String, String)>,
    /// The content, opaque to the host.
    pub payload: Bytes,
}

impl Event {
    /// The first header of that name; `name` is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The answer to a request made over the bus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// The content, opaque to the host.
    pub payload: Bytes,
}

/// How handling an event ended, when the handler ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventOutcome {
    /// Its writes, what it published and the handled mark are committed. The reply, if it was a request.
    Handled(Option<Reply>),
    /// The mark was there already: the handler did not run.
    AlreadyHandled,
    /// The handler asks for another delivery, after that time if it says one. Nothing was committed.
    Retry(Option<Duration>),
    /// The handler will never take it. Nothing was committed.
    Reject(String),
    /// The unit of work met a conflict. Nothing was committed; it is run again and does not count as an attempt.
    Conflict,
}
