//! Reading a stream without being its consumer.

use hull_bus::{Bus, Page, ReadFrom};

use crate::backend::{Backend, Tuning, event, fetch_all, pattern, publish, spec};

async fn read(bus: &dyn Bus, subjects: &str, from: ReadFrom, max: usize) -> Page {
    bus.read("shop", &pattern(subjects), from, max).await.expect("reads")
}

fn ids(page: &Page) -> Vec<&str> {
    page.events.iter().map(|stored| stored.event.key.id.as_str()).collect()
}

pub(crate) async fn pages_follow_each_other_to_the_end(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=3, "orders.created").await;
    publish(&*bus, 4..=5, "payments.charged").await;
    publish(&*bus, 6..=7, "orders.created").await;
    let first = read(&*bus, "orders.*", ReadFrom::Sequence(0), 2).await;
    assert_eq!((ids(&first), first.next, first.is_last), (vec!["1", "2"], 3, false));
    let second = read(&*bus, "orders.*", ReadFrom::Sequence(first.next), 100).await;
    assert_eq!((ids(&second), second.next, second.is_last), (vec!["3", "6", "7"], 8, true));
    assert_eq!(ids(&read(&*bus, "payments.charged", ReadFrom::Sequence(5), 100).await), ["5"]);
    assert_eq!(ids(&read(&*bus, ">", ReadFrom::Sequence(1), 100).await).len(), 7);
    let stored = &second.events[0];
    assert_eq!((stored.sequence, &stored.event), (3, &event("3", "orders.created")), "all of it");
    assert!(stored.published_ms.abs_diff(hull_clock::unix_ms()) < 60_000);
}

pub(crate) async fn reading_goes_on_with_what_comes(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=2, "orders.created").await;
    let end = read(&*bus, "orders.created", ReadFrom::End, 100).await;
    assert_eq!((ids(&end), end.next, end.is_last), (vec![], 3, true));
    let nothing = read(&*bus, "orders.created", ReadFrom::Sequence(end.next), 100).await;
    assert_eq!((ids(&nothing), nothing.next, nothing.is_last), (vec![], 3, true));
    publish(&*bus, 3..=3, "orders.created").await;
    assert_eq!(ids(&read(&*bus, "orders.created", ReadFrom::Sequence(nothing.next), 100).await), ["3"]);
}

pub(crate) async fn readers_take_nothing_from_consumers(backend: &Backend) {
    let bus = backend.open().await;
    let mut consumer = bus.consumer(spec("billing", "orders.*")).await.expect("a consumer");
    publish(&*bus, 1..=3, "orders.created").await;
    for _ in 0..2 {
        assert_eq!(read(&*bus, "orders.*", ReadFrom::Sequence(1), 100).await.events.len(), 3);
    }
    for delivery in fetch_all(&mut consumer, 3).await {
        delivery.ack().await.expect("acknowledged");
    }
    let all = read(&*bus, "orders.*", ReadFrom::Sequence(1), 100).await;
    assert_eq!(all.events.len(), 3, "what is handled is still there to be read");
    assert_eq!(bus.status().await.consumers.len(), 1, "a reader leaves nothing behind");
}

pub(crate) async fn pages_are_bounded(backend: &Backend) {
    let bus = backend.open_tuned(Tuning { bytes_max: 64 << 20, ..Tuning::default() }).await;
    let large = vec![b'x'; 900 << 10];
    for id in 1..=6 {
        let mut event = event(&id.to_string(), "orders.large");
        event.payload = large.clone().into();
        bus.publish("shop", &event).await.expect("published");
    }
    let small: Vec<_> = (7..=400).map(|id| event(&id.to_string(), "orders.created")).collect();
    assert!(bus.publish_all("shop", &small).await.iter().all(Result::is_ok));
    let first = read(&*bus, ">", ReadFrom::Sequence(1), usize::MAX).await;
    assert_eq!((ids(&first), first.is_last), (vec!["1", "2", "3", "4"], false), "4 MiB");
    let second = read(&*bus, ">", ReadFrom::Sequence(first.next), usize::MAX).await;
    assert_eq!((second.events.len(), second.is_last), (hull_bus::PAGE_EVENTS_MAX, false));
    assert_eq!(second.events[0].event.key.id, "5");
}

pub(crate) async fn nothing_is_read_of_an_app_without_events(backend: &Backend) {
    let bus = backend.open().await;
    for from in [ReadFrom::Sequence(7), ReadFrom::End] {
        let page = read(&*bus, ">", from, 100).await;
        assert_eq!((ids(&page), page.is_last), (vec![], true));
        assert!(page.next <= 7);
    }
}
