//! One event to one guest.

use std::sync::Arc;

use hull_invocation::{Event, EventOutcome, Failure, Invocation};

use crate::deploy::Version;
use crate::registry::Shared;

#[allow(missing_docs, unreachable_pub, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/event-handler",
        exports: { default: async },
    });
}

pub(crate) use bindings::EventHandlerIndices;

pub(crate) async fn serve(
    shared: Arc<Shared>,
    version: Arc<Version>,
    invocation: Invocation,
    event: Event,
    attempt: u32,
    expects_reply: bool,
) -> Result<EventOutcome, Failure> {
    let _ = (shared, version, event, attempt, expects_reply);
    Err(Failure::Internal(format!("{}: later", invocation.target)))
}
