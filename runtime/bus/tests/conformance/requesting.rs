//! What a request promises.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hull_bus::{BusError, Responder};
use hull_invocation::Reply;

use crate::backend::{A_WHILE, Backend, Tuning, event, pattern, soon};

const LONG: Duration = Duration::from_secs(20);

fn reply(text: &'static str) -> Reply {
    Reply { headers: vec![("x-own".into(), "y".into())], payload: Bytes::from_static(text.as_bytes()) }
}

/// Answer every request with a text.
fn answer_all(mut responder: Box<dyn Responder>, text: &'static str) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok(request) = responder.next().await {
            request.respond(reply(text)).await.expect("responds");
        }
    })
}

pub(crate) async fn a_request_is_answered(backend: &Backend) {
    let bus = backend.open().await;
    let mut responder = bus.responder("shop", "prices", &pattern("prices.*")).await.expect("opens");
    let asked = event("1", "prices.get");
    let (answer, ()) = tokio::join!(bus.request("shop", &asked, LONG), async {
        let request = soon(responder.next()).await.expect("a request");
        assert_eq!(request.event, asked);
        request.respond(reply("7 EUR")).await.expect("responds");
    });
    assert_eq!(answer, Ok(reply("7 EUR")));
    let mut consumer = bus.consumer(crate::backend::spec("orders", ">")).await.expect("opens");
    crate::backend::nothing_comes(&mut consumer).await;
}

pub(crate) async fn one_responder_of_each_component_is_asked(backend: &Backend) {
    let bus = backend.open().await;
    let mut hands = Vec::new();
    for component in ["prices", "prices", "audit"] {
        hands.push((component, bus.responder("shop", component, &pattern("prices.*")).await.expect("opens")));
    }
    let asked = event("1", "prices.get");
    let (answer, asked) = tokio::join!(bus.request("shop", &asked, LONG), async {
        let mut asking: FuturesUnordered<_> = hands
            .iter_mut()
            .map(|(component, hand)| async move { (*component, hand.next().await.expect("a request")) })
            .collect();
        let mut asked = Vec::new();
        while asked.len() < 2 {
            asked.push(soon(asking.next()).await.expect("a hand"));
        }
        let further = tokio::time::timeout(A_WHILE, asking.next()).await;
        assert!(further.is_err(), "{further:?}");
        // Nobody answers before everybody who is asked is seen.
        let mut components: Vec<_> = asked.iter().map(|(component, _)| *component).collect();
        components.sort_unstable();
        for (_, request) in asked {
            request.respond(reply("7 EUR")).await.expect("responds");
        }
        components
    });
    assert_eq!((answer, asked), (Ok(reply("7 EUR")), vec!["audit", "prices"]));
}

pub(crate) async fn nobody_there_is_said_at_once(backend: &Backend) {
    let bus = backend.open().await;
    drop(bus.responder("shop", "prices", &pattern("prices.*")).await.expect("opens"));
    let _elsewhere = bus.responder("shop", "prices", &pattern("other.*")).await.expect("opens");
    let _other_app = bus.responder("blog", "prices", &pattern("prices.*")).await.expect("opens");
    let answer = soon(bus.request("shop", &event("1", "prices.get"), Duration::from_secs(3600))).await;
    assert_eq!(answer, Err(BusError::NoResponder { subject: "prices.get".into() }));
}

pub(crate) async fn silence_ends_with_the_timeout(backend: &Backend) {
    let bus = backend.open().await;
    let mut responder = bus.responder("shop", "prices", &pattern("prices.*")).await.expect("opens");
    let after = Duration::from_millis(80);
    let answer = bus.request("shop", &event("1", "prices.get"), after).await;
    assert_eq!(answer, Err(BusError::Timeout { subject: "prices.get".into(), after }));
    let asked = event("2", "prices.get");
    let (answer, ()) = tokio::join!(bus.request("shop", &asked, LONG), async {
        let request = soon(responder.next()).await.expect("a request");
        assert_eq!(request.event.key.id, "2", "the first is asked by nobody any more");
        request.respond(reply("in time")).await.expect("responds");
    });
    assert_eq!(answer, Ok(reply("in time")));
}

pub(crate) async fn an_answer_that_comes_too_late_is_no_error(backend: &Backend) {
    let bus = backend.open().await;
    let mut responder = bus.responder("shop", "prices", &pattern("prices.*")).await.expect("opens");
    let asked = event("1", "prices.get");
    let (answer, late) = tokio::join!(bus.request("shop", &asked, Duration::from_secs(2)), soon(responder.next()));
    assert!(matches!(answer, Err(BusError::Timeout { .. })), "{answer:?}");
    late.expect("a request").respond(reply("too late")).await.expect("no error");
}

pub(crate) async fn a_refusal_is_passed_on(backend: &Backend) {
    let bus = backend.open().await;
    let mut responder = bus.responder("shop", "prices", &pattern("prices.*")).await.expect("opens");
    let asked = event("1", "prices.get");
    let (refused, ()) = tokio::join!(bus.request("shop", &asked, LONG), async {
        soon(responder.next()).await.expect("a request").refuse("no prices today").await.expect("refuses");
    });
    let reason = "no prices today".to_owned();
    assert_eq!(refused, Err(BusError::Refused { subject: "prices.get".into(), reason }));
    let (dropped, ()) = tokio::join!(bus.request("shop", &asked, LONG), async {
        drop(soon(responder.next()).await.expect("a request"));
    });
    assert!(matches!(dropped, Err(BusError::Refused { .. })), "{dropped:?}");
    let answering = answer_all(bus.responder("shop", "cache", &pattern("prices.>")).await.expect("opens"), "8 EUR");
    let (answer, ()) = tokio::join!(bus.request("shop", &asked, LONG), async {
        soon(responder.next()).await.expect("a request").refuse("still none").await.expect("refuses");
    });
    assert_eq!(answer, Ok(reply("8 EUR")), "one refusal does not hide another's answer");
    bus.shutdown().await;
    soon(answering).await.expect("no panic");
}

pub(crate) async fn pending_requests_are_bounded(backend: &Backend) {
    let bus = backend.open_tuned(Tuning { requests_max: 2, ..Tuning::default() }).await;
    let mut responder = bus.responder("shop", "prices", &pattern("prices.*")).await.expect("opens");
    let asked = event("1", "prices.get");
    let (one, two, ()) = tokio::join!(bus.request("shop", &asked, LONG), bus.request("shop", &asked, LONG), async {
        let (first, second) = (soon(responder.next()).await, soon(responder.next()).await);
        let third = bus.request("shop", &asked, LONG).await;
        assert_eq!(third, Err(BusError::TooManyRequests { limit: 2 }));
        first.expect("a request").respond(reply("a")).await.expect("responds");
        second.expect("a request").respond(reply("b")).await.expect("responds");
    });
    assert!(one.is_ok() && two.is_ok());
    let answering = answer_all(responder, "c");
    assert_eq!(bus.request("shop", &asked, LONG).await, Ok(reply("c")), "their places are free again");
    bus.shutdown().await;
    soon(answering).await.expect("no panic");
}
