//! What a durable consumer promises.

use std::time::Duration;

use hull_bus::{BusError, ConsumerSpec};
use hull_manifest::Start;

use crate::backend::{
    A_WHILE, Backend, Tuning, event, fetch, fetch_all, ids, nothing_comes, nothing_comes_for, pattern, publish, soon,
    spec, status_when,
};

pub(crate) async fn wildcards_choose_events(backend: &Backend) {
    let bus = backend.open().await;
    for (id, subject) in [("1", "a.b"), ("2", "a.b.c"), ("3", "a"), ("4", "b.b"), ("5", "a.c")] {
        bus.publish("shop", &event(id, subject)).await.expect("published");
    }
    for (subjects, expected) in [
        ("a.b", vec!["1"]),
        ("a.*", vec!["1", "5"]),
        ("a.>", vec!["1", "2", "5"]),
        ("*.b", vec!["1", "4"]),
        (">", vec!["1", "2", "3", "4", "5"]),
        ("*", vec!["3"]),
    ] {
        let mut consumer = bus.consumer(spec("orders", subjects)).await.expect("opens");
        assert_eq!(ids(&fetch_all(&mut consumer, expected.len()).await), expected, "{subjects}");
        nothing_comes(&mut consumer).await;
    }
}

pub(crate) async fn acknowledged_events_do_not_come_again(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=3, "a.b").await;
    let ack_wait = Duration::from_secs(2);
    let short = ConsumerSpec { ack_wait, ..spec("orders", "a.b") };
    let mut consumer = bus.consumer(short).await.expect("opens");
    for delivery in fetch_all(&mut consumer, 3).await {
        delivery.ack().await.expect("acknowledges");
        delivery.ack().await.expect("twice is no error");
    }
    nothing_comes_for(ack_wait + A_WHILE, &mut consumer).await;
}

pub(crate) async fn acknowledgements_survive_a_reopening(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=6, "a.b").await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    for delivery in fetch_all(&mut consumer, 6).await {
        if matches!(delivery.sequence, 1 | 2 | 5) {
            delivery.ack().await.expect("acknowledges");
        }
    }
    drop(consumer);
    bus.shutdown().await;
    let bus = backend.open().await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    assert_eq!(ids(&fetch_all(&mut consumer, 3).await), ["3", "4", "6"]);
    nothing_comes(&mut consumer).await;
}

pub(crate) async fn an_unanswered_event_comes_again(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=1, "a.b").await;
    let short = ConsumerSpec { ack_wait: Duration::from_millis(60), ..spec("orders", "a.b") };
    let mut consumer = bus.consumer(short).await.expect("opens");
    let begun = hull_clock::now();
    let first = fetch(&mut consumer, 1).await.remove(0);
    let second = fetch(&mut consumer, 1).await.remove(0);
    assert!(begun.elapsed() >= Duration::from_millis(60));
    assert_eq!((first.deliveries, second.deliveries, second.sequence), (1, 2, 1));
    first.ack().await.expect("late, and as good");
    nothing_comes(&mut consumer).await;
}

pub(crate) async fn a_dropped_delivery_comes_again(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=1, "a.b").await;
    let short = ConsumerSpec { ack_wait: Duration::from_millis(60), ..spec("orders", "a.b") };
    let mut consumer = bus.consumer(short).await.expect("opens");
    drop(fetch(&mut consumer, 1).await);
    assert_eq!(fetch(&mut consumer, 1).await[0].deliveries, 2);
}

pub(crate) async fn a_nak_delays_and_counts(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=2, "a.b").await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    let mut both = fetch_all(&mut consumer, 2).await;
    let begun = hull_clock::now();
    let delay = Duration::from_secs(2);
    both.remove(0).nak(delay).await.expect("gives back");
    both.remove(0).nak(Duration::ZERO).await.expect("gives back");
    let next = fetch(&mut consumer, 2).await;
    assert_eq!((ids(&next), next[0].deliveries), (vec!["2"], 2));
    let later = fetch(&mut consumer, 2).await;
    assert!(begun.elapsed() >= delay);
    assert_eq!((ids(&later), later[0].deliveries), (vec!["1"], 2));
}

pub(crate) async fn a_nak_may_delay_for_longer_than_the_ack_wait(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=2, "a.b").await;
    let short = ConsumerSpec { ack_wait: Duration::from_secs(1), ..spec("orders", "a.b") };
    let mut consumer = bus.consumer(short).await.expect("opens");
    let begun = hull_clock::now();
    let delay = Duration::from_millis(2500);
    for delivery in fetch_all(&mut consumer, 2).await {
        if delivery.sequence == 1 {
            delivery.nak(delay).await.expect("gives back");
        } else {
            delivery.ack().await.expect("acknowledges");
        }
    }
    let again = fetch(&mut consumer, 2).await;
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    assert_eq!((ids(&again), again[0].deliveries), (vec!["1"], 2), "the ack-wait does not run while it waits");
}

pub(crate) async fn opening_again_changes_the_settings(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=3, "a.b").await;
    let wide = spec("orders", "a.b");
    drop(fetch(&mut bus.consumer(wide.clone()).await.expect("opens"), 1).await);
    bus.shutdown().await;
    let bus = backend.open().await;
    let narrow = ConsumerSpec { ack_wait: Duration::from_millis(60), max_in_flight: 1, start: Start::New, ..wide };
    let mut consumer = bus.consumer(narrow).await.expect("opens");
    let first = fetch(&mut consumer, 10).await;
    assert_eq!(ids(&first), ["1"], "only one at a time now, and its start counts no more");
    let again = fetch(&mut consumer, 10).await;
    assert_eq!(ids(&again), ["1"], "and it comes again soon");
}

pub(crate) async fn events_wait_for_a_consumer_that_is_not_there_yet(backend: &Backend) {
    let tuning = Tuning { retain: Duration::ZERO, ..Tuning::default() };
    let bus = backend.open_tuned(tuning).await;
    let mut early = bus.consumer(spec("payments", "a.b")).await.expect("opens");
    publish(&*bus, 1..=5, "a.c").await;
    publish(&*bus, 6..=7, "a.b").await;
    assert_eq!(fetch_all(&mut early, 2).await.len(), 2);
    bus.shutdown().await;
    let bus = backend.open_tuned(Tuning::default()).await;
    let mut late = bus.consumer(spec("orders", "a.*")).await.expect("opens");
    assert_eq!(fetch_all(&mut late, 7).await.len(), 7);
}

pub(crate) async fn in_progress_holds_the_ack_wait_off(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=1, "a.b").await;
    let ack_wait = A_WHILE * 20;
    let short = ConsumerSpec { ack_wait, ..spec("orders", "a.b") };
    let mut consumer = bus.consumer(short).await.expect("opens");
    let delivery = fetch(&mut consumer, 1).await.remove(0);
    let until = hull_clock::now() + ack_wait * 2;
    while hull_clock::now() < until {
        nothing_comes(&mut consumer).await;
        delivery.in_progress().await.expect("says so");
    }
    let again = fetch(&mut consumer, 1).await;
    assert_eq!(again[0].deliveries, 2, "afterwards it comes");
    delivery.in_progress().await.expect("too late, and no error");
}

pub(crate) async fn ordered_consumers_hold_the_line(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=3, "a.b").await;
    let ordered = ConsumerSpec { ordered: true, ..spec("orders", "a.b") };
    let mut consumer = bus.consumer(ordered).await.expect("opens");
    let first = fetch(&mut consumer, 10).await;
    assert_eq!(ids(&first), ["1"]);
    nothing_comes(&mut consumer).await;
    first[0].nak(A_WHILE * 20).await.expect("gives back");
    nothing_comes(&mut consumer).await;
    for expected in ["1", "2", "3"] {
        let deliveries = fetch(&mut consumer, 10).await;
        assert_eq!(ids(&deliveries), [expected]);
        deliveries[0].ack().await.expect("acknowledges");
    }
}

pub(crate) async fn no_more_are_in_flight_than_may_be(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=5, "a.b").await;
    let narrow = ConsumerSpec { max_in_flight: 2, ..spec("orders", "a.b") };
    let mut consumer = bus.consumer(narrow).await.expect("opens");
    let two = fetch_all(&mut consumer, 2).await;
    nothing_comes(&mut consumer).await;
    two[1].ack().await.expect("acknowledges");
    assert_eq!(ids(&fetch(&mut consumer, 10).await), ["3"]);
    nothing_comes(&mut consumer).await;
}

pub(crate) async fn new_consumers_start_where_they_say(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=2, "a.b").await;
    let new = ConsumerSpec { start: Start::New, ..spec("new", "a.b") };
    drop(bus.consumer(new.clone()).await.expect("opens"));
    publish(&*bus, 3..=3, "a.b").await;
    bus.shutdown().await;
    let bus = backend.open().await;
    let mut from_new = bus.consumer(new).await.expect("opens");
    let mut from_all = bus.consumer(spec("all", "a.b")).await.expect("opens");
    assert_eq!(ids(&fetch_all(&mut from_new, 1).await), ["3"], "its start counts once, when it is made");
    assert_eq!(ids(&fetch_all(&mut from_all, 3).await), ["1", "2", "3"]);
    nothing_comes(&mut from_new).await;
}

pub(crate) async fn consumers_do_not_hold_each_other_up(backend: &Backend) {
    let bus = backend.open().await;
    let mut stuck = bus.consumer(ConsumerSpec { ordered: true, ..spec("stuck", "a.b") }).await.expect("opens");
    publish(&*bus, 1..=1, "a.b").await;
    let held = fetch(&mut stuck, 1).await;
    publish(&*bus, 2..=500, "a.b").await;
    bus.publish("shop", &event("other", "c.d")).await.expect("published");
    let mut behind_it = bus.consumer(spec("other", "c.d")).await.expect("opens");
    let mut same_subject = bus.consumer(spec("busy", "a.b")).await.expect("opens");
    assert_eq!(ids(&fetch(&mut behind_it, 1).await), ["other"]);
    for _ in 0..5 {
        for delivery in fetch_all(&mut same_subject, 100).await {
            delivery.ack().await.expect("acknowledges");
        }
    }
    nothing_comes(&mut same_subject).await;
    held[0].ack().await.expect("acknowledges");
    assert_eq!(ids(&fetch(&mut stuck, 1).await), ["2"]);
}

pub(crate) async fn several_hands_share_a_consumer(backend: &Backend) {
    let bus = backend.open().await;
    let mut one = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    let mut two = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    publish(&*bus, 1..=2, "a.b").await;
    let first = fetch(&mut one, 1).await;
    let second = fetch(&mut two, 1).await;
    assert_eq!((ids(&first), ids(&second)), (vec!["1"], vec!["2"]));
    nothing_comes(&mut one).await;
    nothing_comes(&mut two).await;
}

pub(crate) async fn a_cancelled_fetch_loses_nothing(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=200, "a.b").await;
    bus.shutdown().await;
    // Opened anew, so that the events come from where they are kept and not from memory.
    let bus = backend.open().await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    let mut seen = Vec::new();
    for round in 0..400_u64 {
        let wait = Duration::from_micros(round % 40 * 10);
        if let Ok(deliveries) = tokio::time::timeout(wait, consumer.fetch(7)).await {
            for delivery in deliveries.expect("fetches") {
                assert_eq!(delivery.deliveries, 1, "cancelled ones do not count");
                delivery.ack().await.expect("acknowledges");
                seen.push(delivery.sequence);
            }
        }
    }
    while seen.len() < 200 {
        for delivery in fetch(&mut consumer, 50).await {
            delivery.ack().await.expect("acknowledges");
            seen.push(delivery.sequence);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());
}

pub(crate) async fn a_removed_consumer_ends(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=2, "a.b").await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    for delivery in fetch_all(&mut consumer, 2).await {
        delivery.ack().await.expect("acknowledges");
    }
    let waiting = tokio::spawn(async move { consumer.fetch(1).await.map(|_| ()) });
    bus.remove_consumer("shop", "orders", &pattern("a.b")).await.expect("removes");
    bus.remove_consumer("shop", "orders", &pattern("a.b")).await.expect("what is gone can be removed");
    let ended = soon(waiting).await.expect("no panic");
    assert!(matches!(ended, Err(BusError::Unavailable { .. })), "{ended:?}");
    assert!(bus.status().await.consumers.is_empty());
    let mut anew = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    assert_eq!(ids(&fetch_all(&mut anew, 2).await), ["1", "2"], "it begins anew");
}

pub(crate) async fn a_removed_stream_is_gone_with_everything(backend: &Backend) {
    let bus = backend.open().await;
    bus.remove_stream("shop").await.expect("what is not there is no error");
    publish(&*bus, 1..=3, "a.b").await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    fetch_all(&mut consumer, 1).await.remove(0).ack().await.expect("acknowledges");
    bus.publish("bank", &event("1", "a.b")).await.expect("published");
    drop(consumer);
    bus.remove_stream("shop").await.expect("removed");
    assert!(bus.status().await.consumers.is_empty());
    bus.shutdown().await;
    let bus = backend.open().await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    nothing_comes(&mut consumer).await;
    publish(&*bus, 3..=3, "a.b").await;
    assert_eq!(ids(&fetch_all(&mut consumer, 1).await), ["3"], "it begins anew");
    let elsewhere = ConsumerSpec { app: "bank".to_owned(), ..spec("orders", "a.b") };
    let mut consumer = bus.consumer(elsewhere).await.expect("opens");
    assert_eq!(ids(&fetch_all(&mut consumer, 1).await), ["1"], "other apps keep theirs");
}

pub(crate) async fn shutdown_ends_waiting(backend: &Backend) {
    let bus = backend.open().await;
    let mut consumer = bus.consumer(spec("orders", "a.b")).await.expect("opens");
    let mut responder = bus.responder("shop", "orders", &pattern("a.b")).await.expect("opens");
    let fetching = tokio::spawn(async move { consumer.fetch(1).await.map(|_| ()) });
    let answering = tokio::spawn(async move { responder.next().await.map(|_| ()) });
    bus.shutdown().await;
    assert_eq!(soon(fetching).await.expect("no panic"), Err(BusError::Closed));
    assert_eq!(soon(answering).await.expect("no panic"), Err(BusError::Closed));
    assert_eq!(bus.publish("shop", &event("1", "a.b")).await, Err(BusError::Closed));
    assert!(bus.consumer(spec("orders", "a.b")).await.is_err());
    bus.shutdown().await;
}

pub(crate) async fn status_counts(backend: &Backend) {
    let bus = backend.open().await;
    publish(&*bus, 1..=10, "a.b").await;
    bus.publish("shop", &event("foreign", "c.d")).await.expect("published");
    let mut consumer = bus.consumer(ConsumerSpec { max_in_flight: 4, ..spec("orders", "a.*") }).await.expect("opens");
    let deliveries = fetch_all(&mut consumer, 4).await;
    deliveries[1].nak(Duration::ZERO).await.expect("gives back");
    assert_eq!(fetch(&mut consumer, 1).await[0].sequence, deliveries[1].sequence);
    deliveries[0].ack().await.expect("acknowledges");
    let status = status_when(&*bus, |status| status.consumers.first().is_some_and(|one| one.in_flight == 3)).await;
    let one = &status.consumers[0];
    assert_eq!((one.app.as_str(), one.component.as_str(), one.pattern.as_str()), ("shop", "orders", "a.*"));
    assert_eq!((one.backlog, one.in_flight, one.redelivered, one.open), (6, 3, 1, 1));
    assert!(one.lag < Duration::from_secs(60));
    let stream = &status.streams[0];
    assert_eq!((stream.app.as_str(), stream.events, stream.last_sequence), ("shop", 11, 11));
    assert_eq!((status.problem, stream.problem.as_ref()), (None, None));
    drop(consumer);
    assert_eq!(bus.status().await.consumers[0].open, 0);
}
