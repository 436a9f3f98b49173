//! The port behind the door: whoever can run a guest. The engine implements it; dispatch knows nothing of wasm.

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hull_invocation::{Event, EventOutcome, Failure, Invocation};

/// A request's or response's body, streamed. Dropping a response's body cancels the guest that writes it.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The peer went away or broke the protocol.
    #[error("the peer ended the body early: {0}")]
    Peer(String),
    /// The body is larger than it may be.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The bound.
        limit_bytes: u64,
    },
    /// The guest that wrote it failed.
    #[error(transparent)]
    Guest(#[from] Failure),
}

/// Runs guests. Every future is cancelled by dropping it: the instance is discarded and an open unit of work is
/// rolled back.
#[async_trait]
pub trait Invoke: Send + Sync + 'static {
    /// One HTTP request. The answer's body may go on running the guest.
    async fn http(&self, invocation: Invocation, request: http::Request<Body>)
    -> Result<http::Response<Body>, Failure>;

    /// One event: the guest's handler inside a unit of work, committed with the handled mark when the handler
    /// accepts. `attempt` counts started handlers, from 1. `expects_reply` marks a request over the bus.
    async fn event(
        &self,
        invocation: Invocation,
        event: Event,
        attempt: u32,
        expects_reply: bool,
    ) -> Result<EventOutcome, Failure>;
}
