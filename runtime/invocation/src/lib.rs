//! What an invocation is: who is called, by what, until when, and how it ended. Types only, so that every crate
//! can speak of invocations without knowing who drives them.

mod event;
mod failure;
mod id;
mod lineage;
mod pinned;
mod resource;
mod slot;
mod tape;
mod trace;

pub use event::{CORRELATION_HEADER, Event, EventKey, EventOutcome, HOPS_HEADER, HOPS_MAX, Reply, TRACEPARENT_HEADER};
pub use failure::Failure;
pub use id::{ComponentId, InvalidHeaderId, RequestId, VersionId};
pub use lineage::{CALL_DEPTH_MAX, CALL_TREE_MAX, CallFrame, Lineage, LineageError};
pub use pinned::Pinned;
pub use resource::{CountRejected, Resource};
pub use slot::Slot;
pub use tape::{Player, Recorder, TAPED_BODY_BYTES_MAX, Tape, TapedCall};
pub use trace::TraceContext;

use std::time::Instant;

/// What started an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A request that came in through the gateway.
    Http,
    /// An event from the bus.
    Event,
    /// A call from another component.
    Call,
}

impl Cause {
    /// The word used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Event => "event",
            Self::Call => "call",
        }
    }
}

/// One HTTP request, one event or one call from another component, on its way to a guest.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The component that is to serve it.
    pub target: ComponentId,
    /// What started it.
    pub cause: Cause,
    /// When it must have ended, to the last byte of the answer.
    pub deadline: Instant,
    /// Names this request in logs and answers.
    pub request_id: RequestId,
    /// Names the business process it belongs to; carried through calls and events.
    pub correlation_id: RequestId,
    /// The W3C trace context of this invocation's span.
    pub trace: TraceContext,
    /// The chain of calls that led here.
    pub lineage: Lineage,
    /// How many events led here, one after the other.
    pub hops: u16,
    /// The place it was admitted to; free again when the guest has really ended.
    pub slot: Slot,
}
