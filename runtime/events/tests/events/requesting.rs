//! Requests over the bus, answered by the same handlers.

use std::time::Duration;

use hull_bus::BusError;
use hull_invocation::Failure;

use crate::world::{Act, World, event, orders, soon};

const LONG: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_request_is_answered_after_the_commit() {
    let world = World::new(|_, _| Act::Answer("7 EUR")).await;
    world.start().await;
    let reply = soon(world.bus.request("shop", &event("1", "in.price"), LONG)).await.expect("an answer");
    assert_eq!(&reply.payload[..], b"7 EUR");
    assert_eq!(world.effects().await, ["1"]);
    let again = world.bus.request("shop", &event("1", "in.price"), LONG).await;
    assert!(matches!(again, Err(BusError::Refused { .. })), "the same id does nothing twice: {again:?}");
    assert_eq!(world.effects().await, ["1"]);
}

#[tokio::test]
async fn whoever_asks_learns_why_there_is_no_answer() {
    for (act, expected) in [
        (Act::Accept, "without an answer"),
        (Act::Reject("not for sale"), "not for sale"),
        (Act::Retry(None), "ask again"),
        (Act::Conflict, "conflict"),
        (Act::Fail(Failure::Trapped { component: orders(), message: "unreachable".into() }), "unreachable"),
    ] {
        let world = World::new(move |_, _| act.clone()).await;
        world.start().await;
        match soon(world.bus.request("shop", &event("1", "in.price"), LONG)).await {
            Err(BusError::Refused { reason, .. }) => assert!(reason.contains(expected), "{reason}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_component_that_was_stopped_answers_nothing() {
    let world = World::new(|_, _| Act::Answer("7 EUR")).await;
    world.start().await;
    world.events.stop(&orders(), LONG).await;
    let answer = world.bus.request("shop", &event("1", "in.price"), LONG).await;
    assert!(matches!(answer, Err(BusError::NoResponder { .. })), "{answer:?}");
}
