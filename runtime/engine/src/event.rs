//! One event to one guest, inside a unit of work: when the handler accepts, what it wrote and published is committed
//! together with the mark that the event was handled. Otherwise nothing of it happened.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hull_invocation::{ComponentId, Event, EventOutcome, Failure, Invocation};
use hull_storage::{EventIdentity, Finished, Session, StorageError};

use crate::deploy::Version;
use crate::drive::{Driver, GuestFuture};
use crate::instance::Sandbox;
use crate::registry::Shared;
use crate::services::Handling;

#[allow(missing_docs, unreachable_pub, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/event-handler",
        exports: { default: async },
    });
}

pub(crate) use bindings::EventHandlerIndices;
use bindings::exports::hull::messaging::handler::{Event as GuestEvent, Outcome};

/// What is handed to the guest besides the invocation.
pub(crate) struct Delivered {
    pub(crate) event: Event,
    pub(crate) attempt: u32,
    pub(crate) expects_reply: bool,
}

pub(crate) async fn serve(
    shared: &Arc<Shared>,
    version: Arc<Version>,
    invocation: Invocation,
    delivered: Delivered,
) -> Result<EventOutcome, Failure> {
    let component = invocation.target.clone();
    let deadline = invocation.deadline;
    let account = Arc::clone(&version.account);
    let (sender, outcome) = tokio::sync::oneshot::channel();
    let serving = Arc::clone(shared);
    let guest: GuestFuture = Box::pin(async move {
        let outcome = handle(&serving, &version, &invocation, delivered).await?;
        // The receiver is in this very function; it is gone only when nobody waits any more.
        let _ = sender.send(outcome);
        Ok(())
    });
    Driver::new(shared, guest, component, &account, deadline).await?;
    outcome.await.map_err(|_| Failure::Cancelled)
}

async fn handle(
    shared: &Shared,
    version: &Arc<Version>,
    invocation: &Invocation,
    delivered: Delivered,
) -> Result<EventOutcome, Failure> {
    let component = || invocation.target.clone();
    let Some(indices) = &version.handlers.event else {
        return Err(Failure::NoHandler { component: component(), handler: "hull:messaging/handler@0.1.0" });
    };
    let identity = EventIdentity::of(&delivered.event);
    let handling = Handling { identity, expects_reply: delivered.expects_reply };
    let mut sandbox = Sandbox::open(shared, version, invocation, Some(&handling)).await?;
    let session = sandbox.store.data_mut().session().clone();
    let event = guest_event(delivered);
    let result = async {
        let handler = indices.load(&mut sandbox.store, &sandbox.instance)?;
        handler.hull_messaging_handler().call_handle(&mut sandbox.store, &event).await
    };
    let outcome = match result.await {
        Ok(outcome) => outcome,
        Err(error) => return Err(sandbox.failure(&error)),
    };
    let reply = sandbox.store.data_mut().take_reply();
    let ended = match outcome {
        Outcome::Ok => {
            return match finish(&session, sandbox).await {
                Ok(Finished::Committed) => Ok(EventOutcome::Handled(reply)),
                Ok(Finished::AlreadyHandled) => Ok(EventOutcome::AlreadyHandled),
                Err(error) => uncommitted(&error, component()),
            };
        }
        // It could not know better: what it asked for was lost to another unit.
        Outcome::Retry(_) if session.met_conflict() => EventOutcome::Conflict,
        Outcome::Retry(after_ms) => EventOutcome::Retry(after_ms.map(Duration::from_millis)),
        Outcome::Reject(reason) => EventOutcome::Reject(reason),
    };
    session.abandon();
    sandbox.close();
    Ok(ended)
}

/// The instance does not wait for the disk with its event: what it has, the next one can use meanwhile.
async fn finish(session: &Session, sandbox: Sandbox) -> Result<Finished, StorageError> {
    let mut finishing = pin!(session.finish_event());
    // Once it has been asked for, giving the session up does not undo it.
    let finished = poll_fn(|cx| Poll::Ready(finishing.as_mut().poll(cx))).await;
    sandbox.close();
    match finished {
        Poll::Ready(finished) => finished,
        Poll::Pending => finishing.await,
    }
}

/// The handler accepted, and yet nothing of it happened. What is its own fault is a failed attempt, or else an event
/// that can never be committed would be handled for ever.
fn uncommitted(error: &StorageError, component: ComponentId) -> Result<EventOutcome, Failure> {
    match error {
        StorageError::Conflict => Ok(EventOutcome::Conflict),
        StorageError::IdReused { .. } => Ok(EventOutcome::Reject(error.to_string())),
        error if error.is_by_guest() => {
            let message = format!("its handler accepted, but its unit of work was not committed: {error}");
            Err(Failure::Trapped { component, message })
        }
        error => Err(Failure::Unavailable { component, message: error.to_string() }),
    }
}

fn guest_event(delivered: Delivered) -> GuestEvent {
    let Delivered { event, attempt, expects_reply } = delivered;
    GuestEvent {
        subject: event.subject,
        id: event.key.id,
        source: event.key.source,
        time: event.time,
        headers: event.headers,
        payload: event.payload.into(),
        attempt,
        expects_reply,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_invocation::{ComponentId, EventOutcome, Failure};
    use hull_storage::{ConstraintKind, StorageError};

    use super::uncommitted;

    #[test]
    fn only_what_the_handler_is_to_blame_for_counts_as_an_attempt() {
        let of = |error: StorageError| uncommitted(&error, ComponentId::new("shop", "orders"));
        assert_eq!(of(StorageError::Conflict), Ok(EventOutcome::Conflict));
        let reused = StorageError::IdReused { source_name: "/shop/carts".into(), id: "1".into() };
        assert!(matches!(of(reused), Ok(EventOutcome::Reject(_))));
        let held = format!("it held the database longer than {:?}", Duration::from_secs(1));
        let constraint = StorageError::Constraint { kind: ConstraintKind::ForeignKey, message: held.clone() };
        let full = StorageError::QuotaExceeded { component: held.clone(), limit_bytes: 1 };
        for error in [StorageError::Expired(held.clone()), constraint, full] {
            let failure = of(error.clone());
            let says_why = |message: &str| message.contains(&error.to_string());
            assert!(matches!(&failure, Err(Failure::Trapped { message, .. }) if says_why(message)), "{failure:?}");
        }
        for error in [
            StorageError::Closed(held.clone()),
            StorageError::Timeout(held.clone()),
            StorageError::Overloaded { component: held.clone(), waiting: 1 },
            StorageError::Other(held),
        ] {
            assert!(matches!(of(error), Err(Failure::Unavailable { .. })));
        }
    }
}
