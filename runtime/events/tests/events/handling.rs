//! From an event to its end.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hull_events::{ComponentConfig, ComponentEvents, Counts};
use hull_invocation::{ComponentId, Failure, Resource};
use hull_manifest::Delivery;
use hull_storage::{DeadLetterFilter, DeadLetterKind, EventIdentity, Finished, SessionOptions};
use hull_telemetry::Metrics;

use crate::place::Place;
use crate::world::{Act, DRAIN, World, event, open_database, orders, quick, subscription};

const FULL: usize = 3;

fn shed() -> Failure {
    Failure::Shed { component: orders(), resource: Resource::Bulkhead, retry_after: Duration::from_millis(1) }
}

fn trap() -> Failure {
    Failure::Trapped { component: orders(), message: "unreachable".into() }
}

async fn reasons(world: &World) -> Vec<(String, String, u32)> {
    let letters = world.events.dead_letters(&orders(), &DeadLetterFilter::default(), 0, 100).await.expect("lists");
    letters.into_iter().map(|one| (one.letter.event.key.id, one.letter.reason, one.letter.attempts)).collect()
}

#[tokio::test]
async fn an_event_is_handled_once_and_acknowledged() {
    let world = World::new(|_, _| Act::Accept).await;
    world.publish("1").await;
    world.start().await;
    world.publish("2").await;
    world.until(|counts| counts.handled == 2).await;
    world.all_acknowledged().await;
    assert_eq!(world.effects().await, ["1", "2"]);
    assert_eq!(world.counts(), Counts { handled: 2, ..Counts::default() });
}

#[tokio::test]
async fn an_event_carries_its_chain_into_the_handler() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    let mut chained = event("1", "in.a");
    chained.headers = vec![("x-correlation-id".into(), "c-7".into()), ("x-hull-hops".into(), "3".into())];
    world.bus.publish("shop", &chained).await.expect("published");
    let call = world.door.started(1).await.remove(0);
    assert_eq!((call.invocation.correlation_id.as_str(), call.invocation.hops), ("c-7", 3));
    assert_eq!(call.invocation.target, orders());
}

#[tokio::test]
async fn a_chain_that_is_too_long_is_buried_without_a_handler() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    let mut chained = event("1", "in.a");
    chained.headers = vec![("x-hull-hops".into(), "65".into())];
    world.bus.publish("shop", &chained).await.expect("published");
    world.until(|counts| counts.dead == 1).await;
    assert!(world.door.calls().is_empty());
    assert!(reasons(&world).await[0].1.contains("64 times"));
}

#[tokio::test]
async fn a_retry_undoes_and_counts_and_waits() {
    let after = Duration::from_millis(80);
    let world = World::new(move |_, attempt| if attempt == 1 { Act::Retry(Some(after)) } else { Act::Accept }).await;
    world.start().await;
    let begun = hull_clock::now();
    world.publish("1").await;
    world.until(|counts| counts.handled == 1).await;
    assert!(begun.elapsed() >= after);
    assert_eq!(world.door.calls().iter().map(|call| call.attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(world.effects().await, ["1"], "the first attempt's effect was undone");
    assert_eq!(world.counts().retried, 1);
}

#[tokio::test]
async fn after_the_last_attempt_an_event_is_buried_with_its_reason() {
    let world = World::new(|_, _| Act::Fail(trap())).await;
    world.start_with(Delivery { max_deliver: NonZeroU32::new(3).expect("three"), ..quick() }).await;
    world.publish("1").await;
    world.until(|counts| counts.dead == 1).await;
    world.all_acknowledged().await;
    assert_eq!(world.door.calls().iter().map(|call| call.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    let buried = reasons(&world).await;
    assert_eq!((buried[0].0.as_str(), buried[0].2), ("1", 3));
    assert!(buried[0].1.contains("3 attempts failed") && buried[0].1.contains("unreachable"), "{}", buried[0].1);
    assert!(world.effects().await.is_empty());
}

#[tokio::test]
async fn a_rejected_event_is_buried_at_once() {
    let world = World::new(|_, _| Act::Reject("no such order")).await;
    world.start().await;
    world.publish("1").await;
    world.until(|counts| counts.dead == 1).await;
    world.all_acknowledged().await;
    assert_eq!(world.door.calls().len(), 1);
    let letters = world.events.dead_letters(&orders(), &DeadLetterFilter::default(), 0, 100).await.expect("lists");
    assert_eq!(letters[0].letter.kind, DeadLetterKind::Incoming);
    assert!(letters[0].letter.reason.contains("no such order"));
    assert_eq!(letters[0].letter.event, event_at(&letters[0].letter.event.time));
}

fn event_at(time: &str) -> hull_invocation::Event {
    hull_invocation::Event { time: time.into(), ..event("1", "in.a") }
}

#[tokio::test]
async fn what_was_not_tried_does_not_count_as_an_attempt() {
    let tries = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let world = World::new(move |_, _| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Act::Fail(shed()),
        1 => Act::Conflict,
        2 => Act::Fail(Failure::Unavailable { component: orders(), message: "away".into() }),
        _ => Act::Accept,
    })
    .await;
    world.start_with(Delivery { max_deliver: NonZeroU32::new(1).expect("one"), ..quick() }).await;
    world.publish("1").await;
    let counts = world.until(|counts| counts.handled == 1).await;
    assert_eq!((counts.returned, counts.retried, counts.dead), (3, 0, 0));
    assert!(world.door.calls().iter().all(|call| call.attempt == 1));
    assert_eq!(world.effects().await, ["1"]);
}

#[tokio::test]
async fn no_more_run_at_once_than_may_and_neighbours_go_on() {
    let world = World::new(|_, _| Act::AcceptAtGate).await;
    world.events.start(ComponentConfig { consumers: FULL, ..world.config() }, DRAIN).await;
    for id in 0..20 {
        world.publish(&id.to_string()).await;
    }
    world.door.started(FULL).await;
    // A neighbour on the same bus, with guests of its own, is not held up by the backlog.
    let neighbour = ComponentId::new("shop", "carts");
    let folder = tempfile::tempdir().expect("a directory");
    let database = open_database(folder.path(), &neighbour).await;
    let metrics = Metrics::new().component(&neighbour);
    let subscriptions = vec![subscription("near.>", quick())];
    let config = ComponentConfig { id: neighbour.clone(), database, metrics, subscriptions, ..world.config() };
    world.events.start(config, DRAIN).await;
    world.bus.publish("shop", &event("near", "near.a")).await.expect("published");
    let calls = world.door.started(FULL + 1).await;
    assert_eq!(calls[FULL].invocation.target, neighbour);
    let status = world.bus_status().await;
    let own = status.consumers.iter().find(|one| one.component == "orders").expect("its consumer");
    assert_eq!((own.in_flight, own.backlog), (FULL as u64, 20 - FULL as u64), "the backlog waits on the bus");
    assert_eq!(world.door.calls().len(), FULL + 1);
    world.door.gate.add_permits(100);
    world.until(|counts| counts.handled == 20).await;
}

#[tokio::test]
async fn all_patterns_of_a_component_share_its_slots_and_none_starves() {
    let world = World::new(|_, _| Act::AcceptAtGate).await;
    let subscriptions = vec![subscription("in.a", quick()), subscription("in.b", quick())];
    for id in 0..300 {
        world.bus.publish("shop", &event(&format!("a{id}"), "in.a")).await.expect("published");
    }
    world.bus.publish("shop", &event("b", "in.b")).await.expect("published");
    world.events.start(ComponentConfig { consumers: 1, subscriptions, ..world.config() }, DRAIN).await;
    world.door.started(1).await;
    if Place::DELIVERS_LATER {
        // It was asked for when the first one was, and comes while that one has the slot.
        let has_come = |status: &ComponentEvents| {
            status.consumers.iter().any(|consumer| consumer.pattern == "in.b" && consumer.backlog == 0)
        };
        world.status_when(has_come).await;
    }
    world.door.gate.add_permits(1000);
    world.until(|counts| counts.handled == 301).await;
    let place = world.door.calls().iter().position(|call| call.id == "b").expect("it was handled");
    assert!(place < 10, "it waited behind {place} others");
}

#[tokio::test]
async fn a_long_handler_keeps_its_event() {
    let world = World::new(|_, _| Act::AcceptAtGate).await;
    world.start_with(Delivery { ack_wait: Duration::from_secs(3), ..quick() }).await;
    world.publish("1").await;
    world.door.started(1).await;
    tokio::time::sleep_until((hull_clock::now() + Duration::from_secs(7)).into()).await;
    assert_eq!(world.bus_status().await.consumers[0].redelivered, 0);
    world.door.gate.add_permits(1);
    world.until(|counts| counts.handled == 1).await;
    assert_eq!((world.door.calls().len(), world.counts().returned), (1, 0));
}

#[tokio::test]
async fn an_ordered_subscription_holds_the_line() {
    let world =
        World::new(|event, attempt| if event.key.id == "1" && attempt < 3 { Act::Retry(None) } else { Act::Accept })
            .await;
    world.start_with(Delivery { ordered: true, ..quick() }).await;
    for id in ["1", "2", "3"] {
        world.publish(id).await;
    }
    world.until(|counts| counts.handled == 3).await;
    let calls: Vec<_> = world.door.calls().iter().map(|call| (call.id.clone(), call.attempt)).collect();
    let expected = [("1", 1), ("1", 2), ("1", 3), ("2", 1), ("3", 1)];
    assert_eq!(calls, expected.map(|(id, attempt)| (id.to_owned(), attempt)));
}

#[tokio::test]
async fn an_id_that_was_handled_with_other_content_is_buried() {
    let world = World::new(|_, _| Act::Accept).await;
    let mut other = event("1", "in.a");
    other.payload = "other".into();
    let frame = Arc::clone(hull_invocation::Lineage::root(orders()).frame());
    let deadline = hull_clock::now() + Duration::from_secs(10);
    let event = Some(EventIdentity::of(&other));
    let options = SessionOptions { frame, deadline, event, expects_reply: false };
    assert_eq!(world.database.session(options).finish_event().await, Ok(Finished::Committed));
    world.start().await;
    world.publish("1").await;
    world.until(|counts| counts.dead == 1).await;
    assert!(world.door.calls().is_empty());
    assert!(reasons(&world).await[0].1.contains("other content"));
}

/// The host ends after the handler's commit and before the acknowledgement.
#[tokio::test]
async fn between_commit_and_acknowledgement_nothing_happens_twice() {
    let world = World::new(|_, _| Act::CommitAndVanish).await;
    world.start().await;
    for id in ["1", "2", "3"] {
        world.publish(id).await;
    }
    world.door.started(3).await;
    let begun = hull_clock::now();
    while world.effects().await.len() < 3 {
        assert!(begun.elapsed() < DRAIN);
        // A read that is quick does not give the thread away, and the handlers run on it too.
        tokio::task::yield_now().await;
    }
    let world = world.crash(|_, _| Act::Accept).await;
    world.start().await;
    world.until(|counts| counts.already_handled == 3).await;
    world.all_acknowledged().await;
    assert!(world.door.calls().is_empty(), "no handler ran again");
    assert_eq!(world.effects().await, ["1", "2", "3"]);
}

/// The deadline passes while the commit is under way: whoever waited says that it failed, the database says otherwise.
#[tokio::test]
async fn an_event_that_was_committed_late_is_neither_tried_again_nor_dead() {
    for max_deliver in [1, 4] {
        let world = World::new(|_, _| Act::CommitLate).await;
        let max_deliver = NonZeroU32::new(max_deliver).expect("not zero");
        world.start_with(Delivery { max_deliver, ..quick() }).await;
        world.publish("1").await;
        let counts = world.until(|counts| counts.handled + counts.dead + counts.retried == 1).await;
        assert_eq!((counts.handled, counts.dead, counts.retried), (1, 0, 0), "{max_deliver}");
        world.all_acknowledged().await;
        assert_eq!(world.door.calls().len(), 1);
        assert!(reasons(&world).await.is_empty());
    }
}

/// The host ends between the last failed attempt and the burial, or between the burial and the acknowledgement.
#[tokio::test]
async fn an_event_that_had_its_attempts_is_not_tried_again_after_a_crash() {
    let world = World::new(|_, _| Act::Accept).await;
    let ledger = world.database.ledger();
    for _ in 0..5 {
        ledger.record_failure(&EventIdentity::of(&event("1", "in.a")), "it failed").await.expect("records");
    }
    let letter = hull_storage::DeadLetter {
        kind: DeadLetterKind::Incoming,
        event: event("2", "in.a"),
        reason: "it failed".into(),
        attempts: 5,
        died_at_ms: 1,
    };
    ledger.bury(letter).await.expect("buries");
    world.publish("1").await;
    world.publish("2").await;
    world.start().await;
    let counts = world.until(|counts| counts.dead + counts.already_handled == 2).await;
    assert_eq!((counts.dead, counts.already_handled), (1, 1));
    assert!(world.door.calls().is_empty());
    assert_eq!(reasons(&world).await.len(), 2);
}

#[tokio::test]
async fn status_says_what_a_component_is_doing() {
    let world = World::new(|event, _| if event.key.id == "1" { Act::Reject("no") } else { Act::AcceptAtGate }).await;
    world.start().await;
    world.publish("1").await;
    world.publish("2").await;
    world.door.started(2).await;
    world.until(|counts| counts.dead == 1).await;
    let status = world.status_when(|status| status.outbox.is_some()).await;
    assert_eq!((status.id, status.counts.dead, status.dead_letters, status.outbox), (orders(), 1, Some(1), Some(0)));
    world.status_when(|status| status.consumers.first().is_some_and(|one| one.in_flight == 1)).await;
}
