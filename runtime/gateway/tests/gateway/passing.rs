//! What guests see of a request and clients of an answer.

use std::time::Duration;

use crate::fake::{Running, TEST_TIME};
use crate::wire::{Wire, ask};

#[tokio::test]
async fn a_guest_sees_the_request_with_ids_and_route() {
    let running = Running::start(|_| {});
    running.set_routes(&["/users/:user_id/...", "/..."]);
    let answer = ask(
        running.address,
        "GET /users/J%C3%BCrgen/a/./b?q=1 HTTP/1.1\r\nHost: shop.example:80\r\nx-correlation-id: order-7\r\n\
         spin-client-addr: forged\r\nspin-path-match-admin: forged\r\nconnection: x-private\r\nx-private: 1\r\n\r\n",
    )
    .await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    let (invocation, headers, uri) = running.fake.last.lock().take().expect("a request");
    assert_eq!(uri, "/users/J%C3%BCrgen/a/./b?q=1");
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text"));
    assert_eq!(header("host"), Some("shop.example:80"));
    assert_eq!(header("spin-full-url"), Some("http://shop.example:80/users/J%C3%BCrgen/a/./b?q=1"));
    assert_eq!(header("spin-path-info"), Some("/a/b"));
    assert_eq!(header("spin-component-route"), Some("/users/:user_id"));
    assert_eq!(header("spin-raw-component-route"), Some("/users/:user_id/..."));
    assert_eq!(header("spin-matched-route"), Some("/users/:user_id/..."));
    assert_eq!(header("spin-base-path"), Some("/"));
    assert_eq!(header("spin-path-match-user-id"), Some("J%C3%BCrgen"));
    assert!(header("spin-client-addr").is_some_and(|address| address.starts_with("127.0.0.1:")));
    for gone in ["spin-path-match-admin", "x-private", "connection"] {
        assert_eq!(header(gone), None, "{gone}");
    }
    let trace = invocation.trace.to_string();
    for (name, id) in
        [("x-request-id", invocation.request_id.as_str()), ("x-correlation-id", "order-7"), ("traceparent", &trace)]
    {
        assert_eq!((header(name), answer.header(name)), (Some(id), Some(id)), "{name}");
    }
    assert_eq!(invocation.correlation_id.as_str(), "order-7");
}

#[tokio::test]
async fn ids_from_the_client_are_kept_if_they_are_valid() {
    let running = Running::start(|_| {});
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request =
        |id: &str| format!("GET / HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\ntraceparent: {traceparent}\r\n\r\n");
    let answer = ask(running.address, request("r-1")).await;
    assert_eq!((answer.header("x-request-id"), answer.header("x-correlation-id")), (Some("r-1"), Some("r-1")));
    let echoed = answer.header("traceparent").expect("a trace");
    assert_eq!(echoed.get(..35), traceparent.get(..35), "the same trace");
    assert_ne!(echoed, traceparent, "another span");
    assert_eq!(echoed.get(52..), Some("-01"));
    let answer = ask(running.address, request(&"x".repeat(200))).await;
    assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
}

#[tokio::test]
async fn the_most_specific_route_answers_and_a_hidden_path_does_not() {
    let running = Running::start(|_| {});
    running.set_routes(&["/public/..."]);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    for (path, status) in [
        ("/public", 200),
        ("/public/a/../b", 200),
        ("/static", 418),
        ("/public/../static", 418),
        ("/public/%2e%2e/static", 418),
        ("//static/", 418),
        ("/", 404),
        ("/public/../private", 404),
        ("/public/%2e%2e/private", 404),
        ("/public/..%2fprivate", 400),
        ("/public/../../etc", 400),
        ("/public/%zz", 400),
        ("/public/%00", 400),
        ("/public/%ff", 400),
    ] {
        assert_eq!(ask(running.address, get(path)).await.status, status, "{path}");
    }
    let problem = ask(running.address, get("/nothing?secret=1")).await.problem();
    assert_eq!(problem["type"], "urn:hull:problem:no-route");
    assert_eq!(problem["instance"], "/nothing");
    assert_eq!(problem["title"], "Not Found");
    running.set_routes(&["/nothing"]);
    assert_eq!(ask(running.address, get("/nothing")).await.status, 200);
    assert_eq!(ask(running.address, get("/public")).await.status, 404);
}

#[tokio::test]
async fn the_host_comes_from_where_the_protocol_says() {
    let running = Running::start(|_| {});
    let host_seen = || {
        let (_, headers, uri) = running.fake.last.lock().take().expect("a request");
        let hosts: Vec<String> =
            headers.get_all("host").iter().map(|host| host.to_str().expect("text").to_owned()).collect();
        assert_eq!(uri, "/a?b");
        hosts.join(" ")
    };
    let absolute = "GET http://authority.example:81/a?b HTTP/1.1\r\nhost: other.example\r\n\r\n";
    assert_eq!(ask(running.address, absolute).await.status, 200);
    assert_eq!(host_seen(), "authority.example:81");
    assert_eq!(ask(running.address, "GET /a?b HTTP/1.0\r\n\r\n").await.status, 200);
    assert_eq!(host_seen(), running.address.to_string());
}

#[tokio::test]
async fn methods_that_are_not_for_guests_are_refused() {
    let running = Running::start(|_| {});
    for request in ["TRACE / HTTP/1.1\r\nhost: x\r\n\r\n", "CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n"] {
        let answer = ask(running.address, request).await;
        assert_eq!(answer.status, 405);
        assert!(answer.header("allow").is_some_and(|methods| methods.contains("GET")));
        assert_eq!(answer.problem()["type"], "urn:hull:problem:method");
    }
    let answer = ask(running.address, "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("allow").is_some());
    assert_eq!(ask(running.address, "GET * HTTP/1.1\r\nhost: x\r\n\r\n").await.status, 400);
    assert_eq!(running.fake.started.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn answers_are_made_fit_for_the_wire() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    let mut get = async |path: &str| {
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        wire.answer().await
    };
    let answer = get("/raw/hop").await;
    assert_eq!((answer.header("x-kept"), answer.text().as_str()), (Some("1"), "a"));
    assert!(["x-own", "keep-alive", "connection"].iter().all(|name| answer.header(name).is_none()), "{answer:?}");
    assert!(answer.header("date").is_some());
    for path in ["/raw/length", "/raw/lengths"] {
        let answer = get(path).await;
        assert_eq!(answer.headers("content-length").collect::<Vec<_>>(), ["4"], "{path}");
        assert_eq!(answer.text(), "four");
    }
    assert_eq!(get("/raw/204").await.status, 204);
    let answer = get("/raw/304").await;
    assert_eq!((answer.status, answer.header("etag")), (304, Some("\"1\"")));
    let answer = get("/raw/101").await;
    assert_eq!((answer.status, &answer.problem()["type"]), (502, &"urn:hull:problem:no-response".into()));
    assert_eq!(get("/hello").await.text(), "hello", "the connection is still in step");
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    for path in ["/hello", "/static", "/trap"] {
        wire.send(format!("HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        let answer = wire.answer_to("HEAD").await;
        assert_eq!(answer.status, if path == "/trap" { 500 } else { answer.status });
    }
    wire.send("GET /static HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.header("x-static"), answer.text().as_str()), (418, Some("yes"), "fixed"));
    assert!(wire.rest().await.is_empty());
}

#[tokio::test]
async fn a_guest_behind_head_comes_to_its_own_end() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("HEAD /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    wait_until(|| running.fake.started.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    running.fake.release.notify_one();
    assert_eq!(wire.answer_to("HEAD").await.status, 200);
    running.fake.dropped.wait_for(1).await;
}

#[tokio::test]
async fn failures_tell_the_client_little_and_the_log_everything() {
    let running = Running::start(|_| {});
    let answer = ask(running.address, "GET /trap HTTP/1.1\r\nhost: x\r\nx-request-id: r-9\r\n\r\n").await;
    assert_eq!(answer.status, 500);
    let problem = answer.problem();
    assert_eq!(problem["type"], "urn:hull:problem:trapped");
    assert_eq!((&problem["component"], &problem["instance"]), (&"fake".into(), &"/trap".into()));
    assert!(!answer.text().contains("secret"));
    let lines = running.logs.tail(None, 10);
    assert!(lines.iter().any(|line| line.message.contains("secret of the guest")
        && line.ids.as_ref().is_some_and(|ids| ids.request_id.as_str() == "r-9")));
    let metrics = running.metrics.render();
    assert!(metrics.contains(r#"hull_http_requests_total{app="shop",component="fake",status="5xx"} 1"#), "{metrics}");
}

#[tokio::test]
async fn the_deadline_holds_for_the_head_and_for_the_last_byte() {
    let running = Running::start_with_time(Duration::from_millis(150), |_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, &answer.problem()["type"]), (504, &"urn:hull:problem:deadline-exceeded".into()));
    running.fake.dropped.wait_for(1).await;
    wire.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200"));
    let rest = wire.rest().await;
    assert_eq!(rest, b"6\r\nfirst \r\n", "cut off, without the last chunk");
    running.fake.dropped.wait_for(2).await;
}

#[tokio::test]
async fn a_client_can_ask_for_less_time() {
    let running = Running::start(|_| {});
    let answer = ask(running.address, "GET /wait HTTP/1.1\r\nhost: x\r\nx-request-timeout-ms: 50\r\n\r\n").await;
    assert_eq!(answer.status, 504);
    running.fake.dropped.wait_for(1).await;
}

/// Poll a condition that nothing announces.
pub(crate) async fn wait_until(condition: impl Fn() -> bool) {
    tokio::time::timeout(TEST_TIME, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the condition holds in time");
}
