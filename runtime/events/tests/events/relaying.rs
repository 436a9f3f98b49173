//! From the outbox to the bus.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hull_bus::{ConsumerSpec, Delivery};
use hull_events::ComponentConfig;
use hull_manifest::Start;
use hull_storage::{DeadLetterFilter, DeadLetterKind, OutgoingEvent, StorageError};

use crate::weak_bus::{WeakBus, Weakness};
use crate::world::{Act, DRAIN, World, event, orders, outgoing, quick, soon, subscription};

/// The next so many events that went out.
async fn out(world: &World, count: usize) -> Vec<Delivery> {
    let spec = ConsumerSpec {
        app: "shop".into(),
        component: "reader".into(),
        pattern: "out.>".parse().expect("a pattern"),
        ack_wait: Duration::from_secs(60),
        ordered: false,
        start: Start::All,
        max_in_flight: 1000,
    };
    let mut consumer = world.bus.consumer(spec).await.expect("opens");
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        deliveries.extend(soon(consumer.fetch(count - deliveries.len())).await.expect("fetches"));
    }
    deliveries
}

async fn events_out(world: &World) -> u64 {
    world.bus_status().await.streams.first().map_or(0, |stream| stream.events)
}

async fn weak_world(weakness: &Arc<Weakness>) -> World {
    let weakness = Arc::clone(weakness);
    World::with_bus(move |inner| Arc::new(WeakBus { inner, weakness }), |_, _| Act::Accept).await
}

#[tokio::test]
async fn a_publish_outside_a_unit_returns_when_the_bus_holds_it() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    soon(world.session().publish(outgoing("1", "out.a"))).await.expect("published");
    let event = out(&world, 1).await.remove(0).event;
    assert_eq!((event.key.source.as_str(), event.key.id.as_str()), ("/shop/orders", "1"));
    assert_eq!(event.header("x-correlation-id"), Some("c-1"));
    assert_eq!(&event.payload[..], b"payload of 1");
    assert_eq!(world.counts().published, 1);
}

#[tokio::test]
async fn units_go_out_in_the_order_of_their_commits_and_only_when_committed() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    for unit in 0..10 {
        let session = world.session();
        session.begin().expect("begins");
        for number in 0..30 {
            session.publish(outgoing(&format!("{unit}-{number}"), "out.a")).await.expect("published");
        }
        if unit % 3 == 2 {
            session.rollback().await.expect("rolls back");
        } else {
            session.commit().await.expect("commits");
        }
    }
    let ids: Vec<String> = out(&world, 7 * 30).await.into_iter().map(|one| one.event.key.id).collect();
    let expected: Vec<String> = (0..10)
        .filter(|unit| unit % 3 != 2)
        .flat_map(|unit| (0..30).map(move |number| format!("{unit}-{number}")))
        .collect();
    assert_eq!(ids, expected);
    world.until(|counts| counts.published == 7 * 30).await;
    assert_eq!(events_out(&world).await, 7 * 30);
}

#[tokio::test]
async fn what_a_handler_publishes_goes_out_with_its_commit() {
    let world =
        World::new(
            |_, attempt| {
                if attempt == 1 { Act::Retry(Some(Duration::ZERO)) } else { Act::AcceptAndPublish("out.done") }
            },
        )
        .await;
    world.start().await;
    for id in ["1", "2", "3"] {
        world.publish(id).await;
    }
    assert_eq!(out(&world, 3).await.len(), 3);
    world.until(|counts| counts.published == 3 && counts.handled == 3).await;
    assert_eq!(events_out(&world).await, 6, "three in, three out");
}

#[tokio::test]
async fn what_is_not_granted_does_not_go_out() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    let refused = soon(world.session().publish(outgoing("1", "secret.a"))).await;
    assert!(matches!(&refused, Err(StorageError::Refused(why)) if why.contains("`publishes`")), "{refused:?}");
    let session = world.session();
    session.begin().expect("begins");
    for (id, subject) in [("2", "out.a"), ("3", "secret.a"), ("4", "out.a")] {
        session.publish(outgoing(id, subject)).await.expect("in the outbox");
    }
    session.commit().await.expect("commits");
    let ids: Vec<String> = out(&world, 2).await.into_iter().map(|one| one.event.key.id).collect();
    assert_eq!(ids, ["2", "4"]);
    world.until(|counts| counts.refused == 2).await;
    let letters = world.events.dead_letters(&orders(), &DeadLetterFilter::default(), 0, 10).await.expect("lists");
    assert_eq!((letters.len(), letters[0].letter.kind), (1, DeadLetterKind::Outgoing));
    assert_eq!(letters[0].letter.event.key.id, "3");
}

#[tokio::test]
async fn an_id_that_the_bus_holds_with_other_content_is_refused() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    soon(world.session().publish(outgoing("1", "out.a"))).await.expect("published");
    soon(world.session().publish(outgoing("1", "out.a"))).await.expect("the same again is no error");
    let refused = soon(world.session().publish(outgoing("1", "out.b"))).await;
    assert!(matches!(refused, Err(StorageError::IdReused { .. })), "{refused:?}");
    assert_eq!((events_out(&world).await, world.counts().published), (1, 1));
}

#[tokio::test]
async fn a_delayed_event_waits_for_its_time() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    let due = hull_clock::unix_ms() + 3000;
    let delayed = OutgoingEvent { deliver_at_ms: Some(due), ..outgoing("late", "out.a") };
    soon(world.session().publish(delayed)).await.expect("in the outbox");
    soon(world.session().publish(outgoing("soon", "out.a"))).await.expect("published");
    let events = out(&world, 2).await;
    assert_eq!((events[0].event.key.id.as_str(), events[1].event.key.id.as_str()), ("soon", "late"));
    assert!(events[1].published_ms >= due);
}

#[tokio::test]
async fn events_wait_while_the_bus_is_away_and_survive_a_restart() {
    let weakness = Arc::new(Weakness::default());
    let world = weak_world(&weakness).await;
    weakness.away.store(true, Ordering::SeqCst);
    world.start().await;
    let session = world.session();
    session.begin().expect("begins");
    for id in ["1", "2"] {
        session.publish(outgoing(id, "out.a")).await.expect("in the outbox");
    }
    session.commit().await.expect("commits");
    assert_eq!(world.status_when(|status| status.outbox.is_some()).await.outbox, Some(2));
    soon(world.events.stop(&orders(), DRAIN)).await;
    let world = world.crash(|_, _| Act::Accept).await;
    world.start().await;
    assert_eq!(out(&world, 2).await[1].event.key.id, "2");
}

#[tokio::test]
async fn what_went_out_without_anybody_hearing_of_it_is_not_doubled() {
    let weakness = Arc::new(Weakness::default());
    let world = weak_world(&weakness).await;
    weakness.silent.store(true, Ordering::SeqCst);
    world.start().await;
    let publishing = world.session();
    let (published, ()) = tokio::join!(soon(publishing.publish(outgoing("1", "out.a"))), async {
        let begun = hull_clock::now();
        while events_out(&world).await == 0 {
            assert!(begun.elapsed() < DRAIN);
            tokio::task::yield_now().await;
        }
        weakness.silent.store(false, Ordering::SeqCst);
    });
    published.expect("published in the end");
    let begun = hull_clock::now();
    while world.events.status().await[0].outbox != Some(0) {
        assert!(begun.elapsed() < DRAIN);
        tokio::task::yield_now().await;
    }
    assert_eq!(events_out(&world).await, 1);
}

#[tokio::test]
async fn consumers_are_opened_when_the_bus_comes_back() {
    let weakness = Arc::new(Weakness::default());
    let world = weak_world(&weakness).await;
    weakness.no_consumers.store(true, Ordering::SeqCst);
    world.publish("1").await;
    world.events.start(ComponentConfig { consumers: 1, ..world.config() }, DRAIN).await;
    assert!(world.bus_status().await.consumers.is_empty());
    weakness.no_consumers.store(false, Ordering::SeqCst);
    world.until(|counts| counts.handled == 1).await;
}

#[tokio::test]
async fn a_consumer_that_opens_slowly_is_not_starved_by_its_neighbours() {
    let weakness = Arc::new(Weakness::default());
    let world = weak_world(&weakness).await;
    weakness.no_consumers.store(true, Ordering::SeqCst);
    world.bus.publish("shop", &event("b", "in.b")).await.expect("published");
    let subscriptions = vec![subscription("in.a", quick()), subscription("in.b", quick())];
    world.events.start(ComponentConfig { subscriptions, ..world.config() }, DRAIN).await;
    weakness.slow_consumers.store(true, Ordering::SeqCst);
    weakness.no_consumers.store(false, Ordering::SeqCst);
    let begun = hull_clock::now();
    let mut ids = 0_u32..;
    // The neighbour has work all the time.
    while !world.door.calls().iter().any(|call| call.id == "b") {
        assert!(begun.elapsed() < DRAIN, "after {ids:?} events of its neighbour it is not open");
        world.publish(&ids.next().expect("no end").to_string()).await;
    }
}
