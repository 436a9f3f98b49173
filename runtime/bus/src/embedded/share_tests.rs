//! One publisher that floods the stream: it is refused, the others are not, before and after the bus is opened again.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hull_invocation::{Event, EventKey};
use hull_manifest::Start;

use super::{EmbeddedBus, EmbeddedOptions};
use crate::bus::{Bus, Consumer, ConsumerSpec};
use crate::error::BusError;

const PATIENCE: Duration = Duration::from_secs(20);
const FLOODING: &str = "/shop/flooding";
const MODEST: &str = "/shop/modest";

fn event(publisher: &str, id: u64) -> Event {
    Event {
        key: EventKey { source: publisher.into(), id: id.to_string() },
        subject: "a.b".into(),
        time: "2026-01-01T00:00:00.000Z".into(),
        headers: Vec::new(),
        payload: Bytes::from(vec![7; 100]),
    }
}

async fn open(directory: &Path, change: impl FnOnce(&mut EmbeddedOptions)) -> EmbeddedBus {
    let mut options =
        EmbeddedOptions { segment_bytes: 4096, retain: Duration::ZERO, ..EmbeddedOptions::new(directory) };
    change(&mut options);
    EmbeddedBus::open(options).await.expect("opens")
}

/// A consumer of everything, which keeps what it does not acknowledge.
async fn reader(bus: &EmbeddedBus) -> Box<dyn Consumer> {
    let spec = ConsumerSpec {
        app: "shop".into(),
        component: "reader".into(),
        pattern: "a.b".parse().expect("a pattern"),
        ack_wait: PATIENCE,
        ordered: false,
        start: Start::All,
        max_in_flight: 10_000,
    };
    bus.consumer(spec).await.expect("opens")
}

/// Publish one after the other until one is refused; how many were taken.
async fn publish(bus: &EmbeddedBus, publisher: &str, from: u64, count: u64) -> u64 {
    for id in from..from + count {
        match bus.publish("shop", &event(publisher, id)).await {
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(&error, BusError::Full { publisher: named, .. } if named == publisher), "{error}");
                return id - from;
            }
        }
    }
    count
}

async fn acknowledge(consumer: &mut Box<dyn Consumer>, mut count: u64) {
    while count > 0 {
        let fetching = tokio::time::timeout(PATIENCE, consumer.fetch(count as usize));
        for delivery in fetching.await.expect("in time").expect("fetches") {
            delivery.ack().await.expect("acknowledges");
            count -= 1;
        }
    }
}

async fn whoever_floods_is_refused_alone(change: impl Fn(&mut EmbeddedOptions)) {
    let directory = tempfile::tempdir().expect("a directory");
    let bus = open(directory.path(), &change).await;
    let mut consumer = reader(&bus).await;
    let flooded = publish(&bus, FLOODING, 0, 1000).await;
    assert!((180..=205).contains(&flooded), "{flooded} of the 400 that the stream can hold");
    assert_eq!(publish(&bus, MODEST, 0, 50).await, 50);
    assert_eq!(publish(&bus, FLOODING, 1000, 1).await, 0);
    acknowledge(&mut consumer, 10).await;
    drop(consumer);
    bus.shutdown().await;

    let bus = open(directory.path(), &change).await;
    let mut consumer = reader(&bus).await;
    assert_eq!(publish(&bus, FLOODING, 2000, 1).await, 0, "what it held is known again");
    assert_eq!(publish(&bus, MODEST, 50, 20).await, 20);
    acknowledge(&mut consumer, flooded + 60).await;
    let again = publish(&bus, FLOODING, 3000, 1000).await;
    assert!((180..=205).contains(&again), "{again} when what it held is gone");
    assert_eq!(publish(&bus, MODEST, 100, 50).await, 50);
    bus.shutdown().await;
}

#[tokio::test]
async fn whoever_floods_it_with_bytes_is_refused_alone() {
    // Each takes 194 bytes or so, and the files some more.
    whoever_floods_is_refused_alone(|options| options.bytes_max = 400 * 195).await;
}

#[tokio::test]
async fn whoever_floods_it_with_events_is_refused_alone() {
    whoever_floods_is_refused_alone(|options| options.events_max = 400).await;
}

#[tokio::test]
async fn of_a_batch_as_much_is_taken_as_there_is_room_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let bus = open(directory.path(), |options| options.events_max = 400).await;
    let _consumer = reader(&bus).await;
    let flood: Vec<Event> = (0..300).map(|id| event(FLOODING, id)).collect();
    let modest: Vec<Event> = (0..50).map(|id| event(MODEST, id)).collect();
    let (flooded, taken) = tokio::join!(bus.publish_all("shop", &flood), bus.publish_all("shop", &modest));
    assert_eq!(taken.iter().filter(|result| result.is_ok()).count(), 50);
    let (last, before) = flooded.split_last().expect("results");
    assert!(matches!(last, Err(BusError::Full { .. })), "{last:?}");
    assert!(before.iter().all(Result::is_ok) && (175..=200).contains(&before.len()), "{}", before.len());
}
