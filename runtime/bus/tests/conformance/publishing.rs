//! What a publish promises.

use std::time::Duration;

use bytes::Bytes;
use hull_bus::{Bus, BusError, Published};

use crate::backend::{Backend, Tuning, event, fetch, fetch_all, ids, nothing_comes, publish, spec};

pub(crate) async fn events_arrive_whole_and_in_order(backend: &Backend) {
    let bus = backend.open().await;
    let mut consumer = bus.consumer(spec("orders", "a.>")).await.expect("opens");
    for id in 1..=5_u64 {
        let published = bus.publish("shop", &event(&id.to_string(), "a.b")).await.expect("published");
        assert_eq!(published, Published { sequence: id, duplicate: false });
    }
    let deliveries = fetch_all(&mut consumer, 5).await;
    assert_eq!(ids(&deliveries), ["1", "2", "3", "4", "5"]);
    assert_eq!(deliveries[2].event, event("3", "a.b"));
    assert_eq!((deliveries[2].sequence, deliveries[2].deliveries), (3, 1));
    assert!(deliveries[2].published_ms.abs_diff(hull_clock::unix_ms()) < 60_000);
}

pub(crate) async fn events_survive_a_reopening(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=3, "a.b").await;
    bus.shutdown().await;
    let bus = backend.open().await;
    publish(&*bus, 4..=4, "a.b").await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    let deliveries = fetch_all(&mut consumer, 4).await;
    assert_eq!(ids(&deliveries), ["1", "2", "3", "4"]);
    assert_eq!(deliveries[3].sequence, 4);
    assert_eq!(deliveries[0].event, event("1", "a.b"));
}

pub(crate) async fn a_repeated_publish_is_stored_once(backend: &Backend) {
    let bus = backend.open().await;
    let (first, second) =
        tokio::join!(async { bus.publish("shop", &event("1", "a.b")).await.expect("published") }, async {
            bus.publish("shop", &event("1", "a.b")).await.expect("published")
        },);
    assert_eq!((first.sequence, second.sequence), (1, 1));
    assert!(first.duplicate != second.duplicate);
    bus.shutdown().await;
    let bus = backend.open().await;
    let mut again = event("1", "a.b");
    again.headers = vec![("traceparent".into(), "another".into())];
    again.time = "2027-01-01T00:00:00.000Z".into();
    let third = bus.publish("shop", &again).await.expect("published");
    assert_eq!(third, Published { sequence: 1, duplicate: true });
    let mut other_source = event("1", "a.b");
    other_source.key.source = "/shop/payments".into();
    assert_eq!(bus.publish("shop", &other_source).await.map(|published| published.sequence), Ok(2));
    let mut consumer = bus.consumer(spec("orders", ">")).await.expect("opens");
    assert_eq!(fetch_all(&mut consumer, 2).await.len(), 2);
    nothing_comes(&mut consumer).await;
}

pub(crate) async fn an_id_with_other_content_is_refused(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=1, "a.b").await;
    let mut other_payload = event("1", "a.b");
    other_payload.payload = Bytes::from_static(b"other");
    for other in [other_payload, event("1", "a.c")] {
        let refused = bus.publish("shop", &other).await;
        assert!(matches!(refused, Err(BusError::IdReused { sequence: 1, .. })), "{refused:?}");
    }
    let mut consumer = bus.consumer(spec("orders", ">")).await.expect("opens");
    assert_eq!(fetch(&mut consumer, 10).await.len(), 1);
}

pub(crate) async fn an_event_without_an_id_is_named_by_its_place(backend: &Backend) {
    let bus = backend.open().await;
    let unnamed = event("", "a.b");
    assert_eq!(bus.publish("shop", &unnamed).await.map(|published| published.sequence), Ok(1));
    assert_eq!(bus.publish("shop", &unnamed).await.map(|published| published.sequence), Ok(2));
    let mut consumer = bus.consumer(spec("orders", ">")).await.expect("opens");
    let deliveries = fetch_all(&mut consumer, 2).await;
    let names: Vec<String> = ids(&deliveries).into_iter().map(str::to_owned).collect();
    assert!(names[0] != names[1] && names.iter().all(|name| !name.is_empty()), "{names:?}");
    drop((deliveries, consumer));
    bus.shutdown().await;
    let bus = backend.open().await;
    let mut consumer = bus.consumer(spec("orders", ">")).await.expect("opens");
    assert_eq!(ids(&fetch_all(&mut consumer, 2).await), names, "the name stays");
}

pub(crate) async fn a_batch_ends_at_its_first_failure(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=1, "a.b").await;
    let batch = [event("2", "a.b"), event("1", "a.b"), event("3", "a.b"), event("1", "a.c"), event("4", "a.b")];
    let results = bus.publish_all("shop", &batch).await;
    assert_eq!(results.len(), 4, "{results:?}");
    let published: Vec<_> = results.iter().flatten().map(|one| (one.sequence, one.duplicate)).collect();
    assert_eq!(published, [(2, false), (1, true), (3, false)]);
    assert!(matches!(results[3], Err(BusError::IdReused { .. })));
    let mut consumer = bus.consumer(spec("orders", ">")).await.expect("opens");
    assert_eq!(ids(&fetch_all(&mut consumer, 3).await), ["1", "2", "3"]);
    nothing_comes(&mut consumer).await;
}

pub(crate) async fn what_cannot_be_carried_is_refused(backend: &Backend) {
    let bus = backend.open().await;
    for subject in ["", "a..b", "a.*", ">", "a b", ".a"] {
        let refused = bus.publish("shop", &event("1", subject)).await;
        assert!(matches!(refused, Err(BusError::Invalid(_))), "{subject:?}: {refused:?}");
    }
    let mut large = event("1", "a.b");
    large.payload = vec![0; 9 << 20].into();
    let refused = bus.publish("shop", &large).await;
    assert!(matches!(refused, Err(BusError::TooLarge { .. })), "{refused:?}");
    assert_eq!(bus.publish("shop", &event("1", "a.b")).await.map(|published| published.sequence), Ok(1));
}

/// Publish until the stream is full; how many it took.
async fn fill(bus: &dyn Bus, from: u32) -> u32 {
    for id in from..100_000 {
        let mut large = event(&id.to_string(), "a.b");
        large.payload = vec![7; 10_000].into();
        match bus.publish("shop", &large).await {
            Ok(_) => {}
            Err(BusError::Full { .. }) => return id - from,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the stream never fills up");
}

pub(crate) async fn a_full_stream_refuses_and_takes_again_when_acknowledged(backend: &Backend) {
    let tuning = Tuning { bytes_max: 1 << 20, retain: Duration::ZERO, ..Tuning::default() };
    let bus = backend.open_tuned(tuning).await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    let taken = fill(&*bus, 1).await;
    assert!((45..=105).contains(&taken), "{taken}");
    for delivery in fetch_all(&mut consumer, taken as usize).await {
        delivery.ack().await.expect("acknowledges");
    }
    assert!(fill(&*bus, 1000).await > 45, "what everybody has acknowledged makes room");
    assert_eq!(fetch(&mut consumer, 1).await[0].event.key.id, "1000", "and nothing else does");
}

pub(crate) async fn what_somebody_has_not_acknowledged_is_never_dropped(backend: &Backend) {
    let tuning = Tuning { bytes_max: 1 << 20, retain: Duration::ZERO, ..Tuning::default() };
    let bus = backend.open_tuned(tuning).await;
    let closed = bus.consumer(spec("notifications", "a.b")).await.expect("opens");
    drop(closed);
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    let taken = fill(&*bus, 1).await as usize;
    for delivery in fetch_all(&mut consumer, taken).await {
        delivery.ack().await.expect("acknowledges");
    }
    assert_eq!(fill(&*bus, 1000).await, 0, "a consumer that nobody has open keeps its events");
    let mut reopened = bus.consumer(spec("notifications", "a.b")).await.expect("opens");
    assert_eq!(fetch_all(&mut reopened, taken).await.len(), taken);
    drop(reopened);
    bus.remove_consumer("shop", "notifications", &crate::backend::pattern("a.b")).await.expect("removes");
    assert!(fill(&*bus, 2000).await > 45, "until it is removed");
}

pub(crate) async fn who_floods_a_stream_is_refused_alone(backend: &Backend) {
    let tuning = Tuning { bytes_max: 1 << 20, ..Tuning::default() };
    let bus = backend.open_tuned(tuning).await;
    let taken = fill(&*bus, 1).await;
    assert!((45..=60).contains(&taken), "{taken}: one alone has half");
    for id in 0..20 {
        let mut other = event(&id.to_string(), "a.b");
        other.key.source = "/shop/payments".into();
        other.payload = vec![7; 10_000].into();
        bus.publish("shop", &other).await.expect("another publisher goes on");
    }
    assert_eq!(fill(&*bus, 1000).await, 0, "the first holds more than is free");
}

pub(crate) async fn apps_are_apart(backend: &Backend) {
    let bus = backend.open().await;
    bus.publish("shop", &event("1", "a.b")).await.expect("published");
    bus.publish("blog", &event("1", "a.b")).await.expect("published");
    bus.publish("blog", &event("2", "a.b")).await.expect("published");
    let mut consumer = bus.consumer(spec("orders", ">")).await.expect("opens");
    assert_eq!(ids(&fetch(&mut consumer, 10).await), ["1"]);
    nothing_comes(&mut consumer).await;
}
