//! Stopping, draining, and starting again.

use std::time::Duration;

use hull_events::{ComponentConfig, EventsError};
use hull_manifest::Delivery;
use hull_storage::DeadLetterFilter;

use crate::world::{Act, DRAIN, World, orders, soon, subscription};

#[tokio::test]
async fn a_drain_waits_for_what_runs_and_begins_nothing() {
    let world = World::new(|_, _| Act::AcceptAtGate).await;
    world.events.start(ComponentConfig { consumers: 1, ..world.config() }, DRAIN).await;
    world.publish("1").await;
    world.publish("2").await;
    world.door.started(1).await;
    let (stopped, ()) = tokio::join!(soon(world.events.shutdown(DRAIN)), async {
        world.door.gate.add_permits(5);
    });
    assert_eq!(stopped, ());
    assert_eq!((world.effects().await, world.door.calls().len()), (vec!["1".to_owned()], 1));
    world.start().await;
    world.until(|counts| counts.handled == 1).await;
    assert_eq!(world.effects().await, ["1", "2"]);
}

#[tokio::test]
async fn what_does_not_end_in_time_goes_back_at_once() {
    let world = World::new(|_, _| Act::AcceptAtGate).await;
    world.start().await;
    world.publish("1").await;
    world.door.started(1).await;
    soon(world.events.stop(&orders(), Duration::from_millis(50))).await;
    assert!(world.effects().await.is_empty());
    world.door.gate.add_permits(1);
    world.start().await;
    world.until(|counts| counts.handled == 1).await;
    let attempts: Vec<_> = world.door.calls().iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 1], "it was not the handler's fault");
    assert_eq!(world.effects().await, ["1"]);
}

#[tokio::test]
async fn a_new_configuration_takes_over() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    world.publish("1").await;
    world.until(|counts| counts.handled == 1).await;
    let subscriptions = vec![subscription("other.*", hull_manifest::Delivery::default())];
    world.events.start(ComponentConfig { subscriptions, ..world.config() }, DRAIN).await;
    world.publish("2").await;
    world.bus.publish("shop", &crate::world::event("3", "other.a")).await.expect("published");
    let counts = world.until(|counts| counts.handled >= 2).await;
    assert_eq!((counts.handled, world.effects().await), (2, vec!["1".to_owned(), "3".to_owned()]));
}

#[tokio::test]
async fn a_component_that_does_not_run_has_nothing_to_say() {
    let world = World::new(|_, _| Act::Accept).await;
    let unknown = Err(EventsError::UnknownComponent(orders()));
    assert_eq!(world.events.dead_letters(&orders(), &DeadLetterFilter::default(), 0, 10).await, unknown);
    assert_eq!(world.events.counts(&orders()), None);
    world.events.stop(&orders(), DRAIN).await;
    assert!(world.events.status().await.is_empty());
}

/// It is not unknown: whoever asks about it while the host drains is to ask again.
#[tokio::test]
async fn a_component_that_was_stopped_says_so() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    assert_eq!(world.events.dead_letters(&orders(), &DeadLetterFilter::default(), 0, 10).await, Ok(Vec::new()));
    world.events.stop(&orders(), DRAIN).await;
    let stopped = Err(EventsError::Changing(orders()));
    assert_eq!(world.events.dead_letters(&orders(), &DeadLetterFilter::default(), 0, 10).await, stopped);
}

#[tokio::test]
async fn a_bus_that_was_shut_down_ends_the_worker() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    world.bus.shutdown().await;
    soon(world.events.shutdown(DRAIN)).await;
}

/// A consumer that nobody opens any more would keep all events of the app for ever.
#[tokio::test]
async fn a_pattern_that_is_gone_from_the_manifest_holds_nothing_back() {
    let world = World::new(|_, _| Act::Accept).await;
    let other = hull_bus::ConsumerSpec {
        app: "shop".into(),
        component: "carts".into(),
        pattern: "in.old".parse().expect("a pattern"),
        ack_wait: DRAIN,
        ordered: false,
        start: hull_manifest::Start::All,
        max_in_flight: 1,
    };
    let _others = world.bus.consumer(other).await.expect("another component's consumer");
    let patterns = async || {
        let mut all: Vec<_> = world.bus_status().await.consumers.into_iter().map(|one| one.pattern).collect();
        all.sort();
        all
    };
    let with = |all: &[&str]| ComponentConfig {
        subscriptions: all.iter().map(|one| subscription(one, Delivery::default())).collect(),
        ..world.config()
    };
    world.events.start(with(&["in.a", "in.b"]), DRAIN).await;
    assert_eq!(patterns().await, ["in.a", "in.b", "in.old"]);
    world.events.start(with(&["in.b", "in.c"]), DRAIN).await;
    assert_eq!(patterns().await, ["in.b", "in.c", "in.old"]);
    world.events.start(with(&[]), DRAIN).await;
    assert_eq!(patterns().await, ["in.old"]);
}
