//! The server goes away and comes back, at any moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hull_bus::{Bus, BusError, ConsumerSpec, NatsBus, NatsOptions};
use hull_invocation::Event;

use crate::server::Server;
use crate::{event, fetch, open, soon, spec};

const EVENTS: u32 = 2000;
const KILLS: u32 = 6;
const PUBLISHERS: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_and_doubles_nothing() {
    let seed = hull_clock::random_u64();
    println!("seed {seed}");
    let mut server = Server::start();
    let bus = Arc::new(open(&server).await);
    let short = ConsumerSpec { ack_wait: Duration::from_secs(1), ..spec("orders", "a.*") };
    let mut consumer = bus.consumer(short.clone()).await.expect("opens");
    let published = Arc::new(AtomicU32::new(0));
    let publishing = (0..PUBLISHERS).map(|publisher| {
        let (bus, published) = (Arc::clone(&bus), Arc::clone(&published));
        tokio::spawn(async move {
            for number in (publisher..EVENTS).step_by(PUBLISHERS as usize) {
                // As the relay does: a temporary failure leaves the event in the outbox.
                while let Err(error) = bus.publish("shop", &event(&number.to_string(), "a.b")).await {
                    assert!(error.is_temporary(), "{error}");
                }
                published.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let publishing: Vec<_> = publishing.collect();
    let its_bus = Arc::clone(&bus);
    let consuming = tokio::spawn(async move {
        let mut handled = BTreeSet::new();
        while handled.len() < EVENTS as usize {
            match consumer.fetch(32).await {
                Ok(deliveries) => {
                    for delivery in deliveries {
                        handled.insert(delivery.event.key.id.clone());
                        // An answer that is lost with the connection costs a redelivery.
                        let _ = delivery.ack().await;
                    }
                }
                // As the worker does: open it again.
                Err(error) => {
                    assert!(error.is_temporary(), "{error}");
                    while let Err(error) = its_bus.consumer(short.clone()).await.map(|opened| consumer = opened) {
                        assert!(error.is_temporary(), "{error}");
                    }
                }
            }
        }
        handled
    });
    for kill in 1..=KILLS {
        let at = EVENTS * kill / (KILLS + 2) + (seed >> (kill * 8)) as u32 % 100;
        soon(async {
            while published.load(Ordering::Relaxed) < at {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        server.kill();
        server.restart();
    }
    for task in publishing {
        soon(task).await.expect("no panic");
    }
    let handled = soon(consuming).await.expect("no panic");
    assert_eq!(handled.len(), EVENTS as usize, "every event was handled");
    let status = bus.status().await;
    let stream = &status.streams[0];
    assert_eq!((stream.events, stream.last_sequence), (u64::from(EVENTS), u64::from(EVENTS)), "and stored once");
    bus.shutdown().await;
}

#[tokio::test]
async fn a_fetch_that_waits_survives_a_restart_of_the_server() {
    let mut server = Server::start();
    let bus = open(&server).await;
    let mut consumer = bus.consumer(spec("orders", "a.*")).await.expect("opens");
    let waiting = tokio::spawn(async move { consumer.fetch(10).await.map(|deliveries| deliveries.len()) });
    server.kill();
    let refused = NatsOptions { publish_time: Duration::from_millis(200), ..NatsOptions::new(server.url()) };
    drop(refused);
    server.restart();
    bus.publish("shop", &event("1", "a.b")).await.expect("published, once the connection is back");
    assert_eq!(soon(waiting).await.expect("no panic"), Ok(1));
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let mut server = Server::start();
    server.kill();
    let options = NatsOptions { publish_time: Duration::from_millis(300), ..NatsOptions::new(server.url()) };
    let bus = NatsBus::open(options).await.expect("a server that is away is no error");
    let refused = bus.publish("shop", &event("1", "a.b")).await;
    assert!(matches!(refused, Err(BusError::Unavailable { .. })), "{refused:?}");
    let large = Event { payload: vec![0; 2 << 20].into(), ..event("large", "a.b") };
    let refused = bus.publish("shop", &large).await;
    assert!(
        matches!(refused, Err(BusError::Unavailable { .. })),
        "what the server takes is not known yet: {refused:?}"
    );
    assert!(bus.consumer(spec("orders", "a.*")).await.is_err());
    let status = bus.status().await;
    assert!(status.problem.is_some_and(|problem| problem.contains(&server.url())));
    server.restart();
    soon(async { while bus.publish("shop", &event("1", "a.b")).await.is_err() {} }).await;
    let refused = bus.publish("shop", &large).await;
    assert!(matches!(refused, Err(BusError::TooLarge { limit_bytes: 1_048_576, .. })), "{refused:?}");
    let mut consumer = bus.consumer(spec("orders", "a.*")).await.expect("opens");
    assert_eq!(fetch(&mut consumer, 1).await.len(), 1);
    assert_eq!(bus.status().await.problem, None);
}

#[tokio::test]
async fn a_deleted_stream_is_made_again() {
    let mut server = Server::start();
    let bus = open(&server).await;
    bus.publish("shop", &event("1", "a.b")).await.expect("published");
    crate::plain::ask(server.port(), "$JS.API.STREAM.DELETE.hull-shop", "", "");
    bus.publish("shop", &event("2", "a.b")).await.expect("published into a new stream");
    let mut consumer = bus.consumer(spec("orders", "a.*")).await.expect("opens");
    assert_eq!(fetch(&mut consumer, 1).await[0].event.key.id, "2");
    server.kill();
}
