//! Events out, and questions with an answer.

use serde::Serialize;

use crate::bindings::hull::messaging::types::Message as Raw;
use crate::bindings::hull::messaging::{producer, request_reply};
use crate::error::{Error, Result};

/// What to publish: a subject and a JSON payload.
#[derive(Debug, Clone)]
pub struct Message {
    raw: Raw,
}

impl Message {
    /// A message with a JSON payload.
    pub fn json<T: Serialize>(subject: &str, payload: &T) -> Result<Self> {
        Ok(Self {
            raw: Raw {
                subject: subject.to_owned(),
                id: None,
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                payload: encoded(payload)?,
                deliver_at: None,
            },
        })
    }

    /// With an id of its own: the same id from the same component is the same event. Else the host makes one.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.raw.id = Some(id.into());
        self
    }

    /// Not delivered before this time, in milliseconds since 1970.
    #[must_use]
    pub fn deliver_at(mut self, ms: u64) -> Self {
        self.raw.deliver_at = Some(ms);
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.raw.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Publish an event; the result is its id. Outside a unit of work it returns once the bus holds the event.
pub fn publish(message: &Message) -> Result<String> {
    Ok(producer::publish(&message.raw)?)
}

/// Ask whoever handles the subject; the result is the payload of the answer. Never part of a unit of work.
pub fn request(message: &Message, timeout_ms: u32) -> Result<Vec<u8>> {
    Ok(request_reply::request(&message.raw, timeout_ms)?.payload)
}

/// Answer the request that is being handled, once its unit of work has committed.
pub fn reply<T: Serialize>(payload: &T) -> Result<()> {
    let reply = request_reply::Reply { headers: Vec::new(), payload: encoded(payload)? };
    Ok(request_reply::respond(&reply)?)
}

fn encoded<T: Serialize>(payload: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(payload).map_err(|e| Error::Fault(format!("a payload is not JSON: {e}")))
}
