//! `hull:messaging`: publishing through the outbox, and requests over the bus. Knows nothing of who handles events.

mod outgoing;
mod policy;

pub use policy::{MessageRate, MessagingPolicy};

use std::sync::Arc;
use std::time::Duration;

use hull_bus::{Bus, BusError};
use hull_invocation::{Invocation, Reply};
use hull_storage::Session;
use wasmtime::component::{HasData, Linker};

#[allow(missing_docs, unreachable_pub, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/messaging",
        imports: { default: async | trappable },
    });
}

use bindings::hull::messaging::{producer, request_reply, types};
use outgoing::{checked_headers, event_of, identified, publish_failure};

/// The longest that a request over the bus may wait.
const REQUEST_TIME_MAX: Duration = Duration::from_mins(1);

/// Messaging of one instance, for the invocation it serves.
pub struct MessagingCtx {
    session: Session,
    policy: Arc<MessagingPolicy>,
    bus: Arc<dyn Bus>,
    caller: Arc<Invocation>,
    answering: Answering,
}

/// Whether the event that is being handled waits for an answer.
enum Answering {
    No,
    Waiting,
    Answered(Reply),
}

impl MessagingCtx {
    /// For one invocation. `expects_reply` is set when it handles a request over the bus.
    pub fn new(
        session: Session,
        policy: Arc<MessagingPolicy>,
        bus: Arc<dyn Bus>,
        caller: Arc<Invocation>,
        expects_reply: bool,
    ) -> Self {
        let answering = if expects_reply { Answering::Waiting } else { Answering::No };
        Self { session, policy, bus, caller, answering }
    }

    /// The answer that the handler gave; to be sent when its unit of work has committed.
    pub fn take_reply(&mut self) -> Option<Reply> {
        match std::mem::replace(&mut self.answering, Answering::No) {
            Answering::Answered(reply) => Some(reply),
            Answering::Waiting | Answering::No => None,
        }
    }
}

struct HasMessaging;

impl HasData for HasMessaging {
    type Data<'a> = &'a mut MessagingCtx;
}

/// Add the interfaces to a linker. `get` finds an instance's messaging in its state.
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut MessagingCtx,
) -> wasmtime::Result<()> {
    types::add_to_linker::<T, HasMessaging>(linker, get)?;
    producer::add_to_linker::<T, HasMessaging>(linker, get)?;
    request_reply::add_to_linker::<T, HasMessaging>(linker, get)
}

impl types::Host for MessagingCtx {}

impl producer::Host for MessagingCtx {
    async fn publish(&mut self, message: types::Message) -> wasmtime::Result<Result<String, types::Error>> {
        let event = match event_of(&self.policy, &self.caller, message) {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        let id = event.id.clone();
        Ok(self.session.publish(event).await.map(|()| id).map_err(|error| publish_failure(&error)))
    }
}

impl request_reply::Host for MessagingCtx {
    async fn request(
        &mut self,
        message: types::Message,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<types::Reply, types::Error>> {
        if message.deliver_at.is_some() {
            let text = "a request goes out at once: it has no deliver-at";
            return Ok(Err(types::Error::Invalid(text.to_owned())));
        }
        let left = self.caller.deadline.saturating_duration_since(hull_clock::now());
        let timeout = Duration::from_millis(timeout_ms.into()).min(REQUEST_TIME_MAX).min(left);
        let event = match event_of(&self.policy, &self.caller, message) {
            Ok(event) => identified(&self.policy, event),
            Err(error) => return Ok(Err(error)),
        };
        if let Some(player) = self.caller.lineage.frame().tape().and_then(|tape| tape.player()) {
            player.note(format!("it asked over the bus ({})", event.subject));
            return Ok(Err(types::Error::Unavailable("this is a shadow run: nobody is asked over the bus".to_owned())));
        }
        let reply = self.bus.request(self.policy.component.app(), &event, timeout).await;
        Ok(reply
            .map(|reply| types::Reply { headers: reply.headers, payload: reply.payload.into() })
            .map_err(|error| request_failure(&error)))
    }

    async fn respond(&mut self, reply: types::Reply) -> wasmtime::Result<Result<(), types::Error>> {
        let refused = |reason: &str| Ok(Err(types::Error::Invalid(reason.to_owned())));
        match self.answering {
            Answering::No => return refused("nobody waits for an answer: this is not a request"),
            Answering::Answered(_) => return refused("the request has been answered already"),
            Answering::Waiting => {}
        }
        if let Err(error) = self.policy.check_size(&reply.payload, &reply.headers) {
            return Ok(Err(error));
        }
        let headers = match checked_headers(reply.headers) {
            Ok(headers) => headers,
            Err(error) => return Ok(Err(error)),
        };
        self.answering = Answering::Answered(Reply { headers, payload: reply.payload.into() });
        Ok(Ok(()))
    }
}

fn request_failure(error: &BusError) -> types::Error {
    match error {
        BusError::NoResponder { .. } => types::Error::NoResponder,
        BusError::Timeout { .. } => types::Error::Timeout,
        BusError::Full { .. } | BusError::TooManyRequests { .. } => types::Error::Full(error.to_string()),
        BusError::TooLarge { limit_bytes, .. } => types::Error::TooLarge(*limit_bytes as u64),
        BusError::Invalid { .. } | BusError::Refused { .. } | BusError::IdReused { .. } => {
            types::Error::Invalid(error.to_string())
        }
        _ => types::Error::Unavailable(error.to_string()),
    }
}
