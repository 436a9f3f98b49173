//! Several hosts, here several buses, on one server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hull_bus::{Bus, BusError, ConsumerSpec, NatsBus, NatsOptions, consumer_name};
use hull_invocation::Reply;
use parking_lot::Mutex;
use tokio::sync::Barrier;

use crate::plain::ask;
use crate::server::Server;
use crate::wire::Wire;
use crate::{event, fetch, open, soon, spec};

const EVENTS: usize = 300;
/// So many each host has to get.
const SHARE: usize = EVENTS / 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_a_consumer() {
    let server = Server::start();
    let handled: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let both_have_theirs = Arc::new(Barrier::new(2));
    let (mut buses, mut hosts) = (Vec::new(), Vec::new());
    for host in 0..2_u32 {
        let bus = open(&server).await;
        let mut consumer = bus.consumer(spec("orders", "a.*")).await.expect("opens");
        buses.push(bus);
        let (handled, both_have_theirs) = (Arc::clone(&handled), Arc::clone(&both_have_theirs));
        hosts.push(tokio::spawn(async move {
            let mut own = 0;
            while let Ok(deliveries) = consumer.fetch(8).await {
                for delivery in deliveries {
                    own += 1;
                    delivery.ack().await.expect("acknowledges");
                    *handled.lock().entry(delivery.event.key.id.clone()).or_default() += 1;
                    // A host that is slow finds its share still there.
                    if own == SHARE {
                        both_have_theirs.wait().await;
                    }
                }
            }
            (host, own)
        }));
    }
    let publisher = open(&server).await;
    for id in 0..EVENTS {
        publisher.publish("shop", &event(&id.to_string(), "a.b")).await.expect("published");
    }
    let everything_is_handled = async {
        while handled.lock().len() < EVENTS {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(everything_is_handled).await;
    let mut third = publisher.consumer(spec("orders", "a.*")).await.expect("opens");
    let more = tokio::time::timeout(Duration::from_secs(2), third.fetch(8)).await;
    assert!(more.is_err(), "{more:?}");
    for bus in buses {
        bus.shutdown().await;
    }
    for host in hosts {
        let (host, own) = soon(host).await.expect("no panic");
        assert!(own >= SHARE, "host {host} handled {own}");
    }
    let handled = handled.lock();
    assert_eq!(handled.len(), EVENTS);
    assert!(handled.values().all(|count| *count == 1), "{handled:?}");
}

#[tokio::test]
async fn what_a_lost_host_held_goes_to_another() {
    let server = Server::start();
    let (lost, other) = (open(&server).await, open(&server).await);
    let short = ConsumerSpec { ack_wait: Duration::from_millis(300), ..spec("orders", "a.*") };
    let mut holds = lost.consumer(short.clone()).await.expect("opens");
    lost.publish("shop", &event("1", "a.b")).await.expect("published");
    let held = fetch(&mut holds, 1).await;
    // Dropped like this nothing is given back: as if the host had been killed.
    drop((held, lost));
    let mut takes = other.consumer(short).await.expect("opens");
    assert_eq!(fetch(&mut takes, 1).await[0].deliveries, 2);
}

#[tokio::test]
async fn what_a_stopped_host_held_goes_to_another_at_once() {
    let server = Server::start();
    let (stopped, other) = (open(&server).await, open(&server).await);
    let long = ConsumerSpec { ack_wait: Duration::from_hours(1), ..spec("orders", "a.*") };
    let mut holds = stopped.consumer(long.clone()).await.expect("opens");
    for id in ["1", "2"] {
        stopped.publish("shop", &event(id, "a.b")).await.expect("published");
    }
    let _held = fetch(&mut holds, 1).await;
    stopped.shutdown().await;
    let mut takes = other.consumer(long).await.expect("opens");
    let mut came = Vec::new();
    while came.len() < 2 {
        came.extend(fetch(&mut takes, 2).await.into_iter().map(|delivery| delivery.sequence));
    }
    came.sort_unstable();
    assert_eq!(came, [1, 2]);
}

#[tokio::test]
async fn what_is_kept_for_nobody_goes_to_another_host() {
    let server = Server::start();
    let (busy, idle) = (open(&server).await, open(&server).await);
    let long = ConsumerSpec { ack_wait: Duration::from_hours(1), ..spec("orders", "a.*") };
    let mut busy_one = busy.consumer(long.clone()).await.expect("opens");
    // It asks for eight, gets one, and is too busy to ask again.
    let first = tokio::spawn(async move {
        let first = fetch(&mut busy_one, 8).await.len();
        (busy_one, first)
    });
    busy.publish("shop", &event("1", "a.b")).await.expect("published");
    let (_busy_one, first) = first.await.expect("no panic");
    assert_eq!(first, 1);
    for id in ["2", "3"] {
        busy.publish("shop", &event(id, "a.b")).await.expect("published");
    }
    let mut idle_one = idle.consumer(long).await.expect("opens");
    let mut came = Vec::new();
    while came.len() < 2 {
        came.extend(fetch(&mut idle_one, 8).await.into_iter().map(|delivery| delivery.sequence));
    }
    came.sort_unstable();
    assert_eq!(came, [2, 3]);
}

#[tokio::test]
async fn one_at_a_time_is_one_of_all_hosts() {
    let server = Server::start();
    let (one, other) = (open(&server).await, open(&server).await);
    let ordered = ConsumerSpec { ordered: true, ..spec("orders", "a.*") };
    let mut consumers =
        [one.consumer(ordered.clone()).await.expect("opens"), other.consumer(ordered).await.expect("opens")];
    for id in 1..=20 {
        one.publish("shop", &event(&id.to_string(), "a.b")).await.expect("published");
    }
    let [first, second] = &mut consumers;
    for expected in 1..=20_u64 {
        let deliveries = tokio::select! {
            deliveries = fetch(first, 8) => deliveries,
            deliveries = fetch(second, 8) => deliveries,
        };
        assert_eq!(deliveries.iter().map(|delivery| delivery.sequence).collect::<Vec<_>>(), [expected]);
        deliveries[0].ack().await.expect("acknowledges");
    }
}

#[tokio::test]
async fn requests_go_from_host_to_host() {
    let server = Server::start();
    let (asks, answers) = (open(&server).await, open(&server).await);
    let pattern = "prices.*".parse().expect("a pattern");
    let mut responder = answers.responder("shop", "prices", &pattern).await.expect("opens");
    let answering = tokio::spawn(async move {
        while let Ok(request) = responder.next().await {
            let payload = request.event.payload.clone();
            request.respond(Reply { headers: Vec::new(), payload }).await.expect("responds");
        }
    });
    let asked: Vec<_> = (0..50).map(|id| event(&id.to_string(), "prices.get")).collect();
    let all = futures::future::join_all(asked.iter().map(|event| asks.request("shop", event, Duration::from_secs(20))));
    for (answer, event) in soon(all).await.into_iter().zip(&asked) {
        assert_eq!(answer.map(|reply| reply.payload), Ok(event.payload.clone()));
    }
    answers.shutdown().await;
    soon(answering).await.expect("no panic");
}

#[tokio::test]
async fn an_app_whose_data_is_on_one_host_is_refused_to_another() {
    let server = Server::start();
    let (first, second) = (open(&server).await, open(&server).await);
    first.claim("shop", "host-1").await.expect("free");
    first.claim("shop", "host-1").await.expect("its own");
    let refused = second.claim("shop", "host-2").await;
    let expected = BusError::Owned { app: "shop".into(), owner: "host-1".into() };
    assert_eq!(refused, Err(expected), "it is renewed");
    second.claim("blog", "host-2").await.expect("another app");
    first.publish("shop", &event("1", "a.b")).await.expect("published by whoever has the lease");
    // Killed and started again, a host is let in at once.
    drop(first);
    let again = open(&server).await;
    again.claim("shop", "host-1").await.expect("its own, still");
    again.shutdown().await;
    second.claim("shop", "host-2").await.expect("free again");
}

#[tokio::test]
async fn an_app_that_is_given_back_is_free_at_once() {
    let server = Server::start();
    let (first, second) = (open(&server).await, open(&server).await);
    for app in ["shop", "blog"] {
        first.claim(app, "host-1").await.expect("free");
    }
    first.release("shop").await;
    // Less than a lost lease takes.
    let taken = tokio::time::timeout(Duration::from_secs(6), second.claim("shop", "host-2")).await;
    assert_eq!(taken, Ok(Ok(())));
    assert!(matches!(second.claim("blog", "host-2").await, Err(BusError::Owned { .. })), "the other one is kept");
}

#[tokio::test]
async fn the_lease_of_a_lost_host_ends() {
    let server = Server::start();
    let (lost, other) = (open(&server).await, open(&server).await);
    lost.claim("shop", "host-1").await.expect("free");
    drop(lost);
    other.claim("shop", "host-2").await.expect("free, after a while");
    other.publish("shop", &event("1", "a.b")).await.expect("published");
}

#[tokio::test]
async fn who_has_lost_the_lease_does_nothing_for_the_app_any_more() {
    let mut server = Server::start();
    let options = NatsOptions { publish_time: Duration::from_secs(2), ..NatsOptions::new(server.url()) };
    let (first, second) = (NatsBus::open(options.clone()).await.expect("opens"), open(&server).await);
    first.claim("shop", "host-1").await.expect("free");
    let mut consumer = first.consumer(spec("orders", "a.*")).await.expect("opens");
    let pattern = "prices.*".parse().expect("a pattern");
    let mut responder = first.responder("shop", "prices", &pattern).await.expect("opens");
    // Somebody removes the lease by hand and another host takes it.
    crate::plain::ask(server.port(), "$JS.API.STREAM.PURGE.hull-leases", "", "");
    second.claim("shop", "host-2").await.expect("free");
    let ended = soon(consumer.fetch(1)).await.map(|deliveries| deliveries.len());
    assert!(matches!(ended, Err(BusError::Unavailable { .. })), "{ended:?}");
    let ended = soon(responder.next()).await.map(|request| request.event.key);
    assert!(matches!(ended, Err(BusError::Unavailable { .. })), "{ended:?}");
    let opened = first.responder("shop", "prices", &pattern).await.map(|_| ());
    assert!(matches!(opened, Err(BusError::Owned { .. })), "{opened:?}");
    let again = first.claim("shop", "host-1").await;
    assert!(matches!(again, Err(BusError::Owned { .. })), "{again:?}");
    // The version that served the app is there still, and its claim as well.
    let refused = first.publish("shop", &event("1", "a.b")).await;
    assert!(matches!(refused, Err(BusError::Owned { .. })), "{refused:?}");
    let opened = first.consumer(spec("orders", "a.*")).await.map(|_| ());
    assert!(matches!(opened, Err(BusError::Owned { .. })), "{opened:?}");
    let removed = first.remove_stream("shop").await;
    assert!(matches!(removed, Err(BusError::Owned { .. })), "{removed:?}");
    server.kill();
}

/// Until the server has seen the end of whoever asked for events: it would give one more to them.
async fn until_nobody_waits(server: &Server) {
    let subject = format!("$JS.API.CONSUMER.INFO.hull-shop.{}", consumer_name("orders", "a.*"));
    let nobody_waits = async {
        while !ask(server.port(), &subject, "", "").1.contains("\"num_waiting\":0") {
            tokio::task::yield_now().await;
        }
    };
    soon(nobody_waits).await;
}

#[tokio::test]
async fn a_host_that_was_killed_gets_back_at_once_what_it_held() {
    let server = Server::start();
    let killed = open(&server).await;
    killed.claim("shop", "host-1").await.expect("free");
    let long = ConsumerSpec { ack_wait: Duration::from_hours(1), ..spec("orders", "a.*") };
    let mut consumer = killed.consumer(long.clone()).await.expect("opens");
    for id in ["1", "2"] {
        killed.publish("shop", &event(id, "a.b")).await.expect("published");
    }
    let mut held = Vec::new();
    while held.len() < 2 {
        held.extend(fetch(&mut consumer, 2).await);
    }
    held[1].nak(Duration::from_hours(1)).await.expect("gives back, for much later");
    drop((held, consumer, killed));
    until_nobody_waits(&server).await;
    let again = open(&server).await;
    again.claim("shop", "host-1").await.expect("its own");
    let mut consumer = again.consumer(long).await.expect("opens");
    let mut came = Vec::new();
    while came.len() < 2 {
        came.extend(fetch(&mut consumer, 2).await.into_iter().map(|delivery| (delivery.sequence, delivery.deliveries)));
    }
    came.sort_unstable();
    assert_eq!(came, [(1, 2), (2, 2)]);
    let more = tokio::time::timeout(Duration::from_millis(500), consumer.fetch(2)).await;
    assert!(more.is_err(), "and the ack-wait is as long as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_cut_off_for_long_takes_nothing_when_the_connection_is_back() {
    let server = Server::start();
    let wire = Wire::to(server.port()).await;
    let cut = NatsBus::open(NatsOptions::new(wire.url())).await.expect("opens");
    let other = open(&server).await;
    let long = ConsumerSpec { ack_wait: Duration::from_hours(1), ..spec("orders", "a.*") };
    cut.claim("shop", "host-1").await.expect("free");
    let mut consumer = cut.consumer(long.clone()).await.expect("opens");
    // It asks for events, and is heard only when the app is another's.
    wire.hold();
    let waiting = tokio::spawn(async move { consumer.fetch(32).await.map(|deliveries| deliveries.len()) });
    other.claim("shop", "host-2").await.expect("free, after a while");
    for id in 0..32 {
        other.publish("shop", &event(&id.to_string(), "a.b")).await.expect("published");
    }
    wire.mend();
    let ended = soon(waiting).await.expect("no panic");
    assert!(matches!(ended, Err(BusError::Unavailable { .. })), "{ended:?}");
    let mut its = other.consumer(long).await.expect("opens");
    let mut came = Vec::new();
    while came.len() < 32 {
        for delivery in fetch(&mut its, 32).await {
            came.push((delivery.event.key.id.clone(), delivery.deliveries));
            delivery.ack().await.expect("acknowledges");
        }
    }
    came.sort_unstable();
    came.dedup_by(|one, next| one.0 == next.0);
    assert_eq!(came.len(), 32, "each once, and none had to wait out its ack-wait");
    assert!(came.iter().any(|(_, deliveries)| *deliveries > 1), "the old request was served: {came:?}");
}

#[tokio::test]
async fn leases_are_kept_while_another_is_waited_for() {
    let server = Server::start();
    let (lost, waits, other) = (open(&server).await, Arc::new(open(&server).await), open(&server).await);
    let lost_ones = ["shop", "blog", "wiki"];
    for app in lost_ones {
        lost.claim(app, "host-1").await.expect("free");
    }
    drop(lost);
    let own = ["a", "b", "c", "d", "e", "f", "g"];
    for app in own {
        waits.claim(app, "host-2").await.expect("free");
    }
    let waiting = lost_ones.map(|app| {
        let waits = Arc::clone(&waits);
        tokio::spawn(async move { waits.claim(app, "host-2").await })
    });
    let claims = own.map(|app| other.claim(app, "host-3"));
    for (app, claimed) in own.into_iter().zip(futures::future::join_all(claims).await) {
        assert_eq!(claimed, Err(BusError::Owned { app: app.into(), owner: "host-2".into() }));
    }
    let is_taken = waiting.iter().any(tokio::task::JoinHandle::is_finished);
    assert!(!is_taken, "its own were not renewed before a lost one was taken");
    for waiting in waiting {
        assert_eq!(soon(waiting).await.expect("no panic"), Ok(()));
    }
}
