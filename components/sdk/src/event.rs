//! Events in: what a handler receives, what it may answer, and the macro that exports it.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::bindings::exports::hull::messaging::handler::{Event as Raw, Outcome as RawOutcome};
use crate::error::Result;
use crate::json;
use crate::unit::Unit;

/// What happened elsewhere.
#[derive(Debug, Clone)]
pub struct Event {
    raw: Raw,
}

/// What becomes of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Handled: what was written and published is committed with it.
    Ok,
    /// Undo everything and deliver it again, after so long if that is given.
    Retry(Option<Duration>),
    /// Undo everything and put it with the dead letters, for this reason.
    Reject(String),
}

impl Event {
    /// `orders.created`.
    pub fn subject(&self) -> &str {
        &self.raw.subject
    }

    /// With the source, the key of idempotence.
    pub fn id(&self) -> &str {
        &self.raw.id
    }

    /// `/<app>/<component>` of who published it.
    pub fn source(&self) -> &str {
        &self.raw.source
    }

    /// When it was published, RFC 3339.
    pub fn time(&self) -> &str {
        &self.raw.time
    }

    /// 1 for the first time.
    pub fn attempt(&self) -> u32 {
        self.raw.attempt
    }

    /// Whether the publisher waits for [`crate::messaging::reply`].
    pub fn expects_reply(&self) -> bool {
        self.raw.expects_reply
    }

    /// The payload's bytes.
    pub fn payload(&self) -> &[u8] {
        &self.raw.payload
    }

    /// The payload as JSON. One that does not fit never will: the error rejects the event.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(json::parse(&self.raw.payload)?)
    }
}

/// Run a handler; the macro calls this.
#[doc(hidden)]
pub fn run(raw: Raw, handler: fn(&Unit, &Event) -> Result<Outcome>) -> RawOutcome {
    // The host opens a unit of work around every handler.
    match handler(&Unit::opened(), &Event { raw }).unwrap_or_else(crate::error::Error::into_outcome) {
        Outcome::Ok => RawOutcome::Ok,
        Outcome::Retry(after) => RawOutcome::Retry(after.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))),
        Outcome::Reject(why) => RawOutcome::Reject(why),
    }
}

/// Export `fn(&Unit, &Event) -> Result<Outcome>` as the handler of this component's messaging triggers.
#[macro_export]
macro_rules! event_component {
    ($handler:path) => {
        struct HullEvents;

        impl $crate::bindings::exports::hull::messaging::handler::Guest for HullEvents {
            fn handle(
                event: $crate::bindings::exports::hull::messaging::handler::Event,
            ) -> $crate::bindings::exports::hull::messaging::handler::Outcome {
                $crate::event::run(event, $handler)
            }
        }

        $crate::bindings::export!(HullEvents);
    };
}
