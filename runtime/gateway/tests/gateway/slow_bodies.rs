//! Bodies that come slowly or never: they hold no component, and end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hull_dispatch::BodyError;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::fake::{BODY_BYTES_MAX, Running, TEST_TIME};
use crate::passing::wait_until;
use crate::wire::{Wire, ask};

fn post(length: usize) -> String {
    format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")
}

fn in_flight(running: &Running, count: usize) -> bool {
    running.metrics.render().contains(&format!(r#"in_flight{{app="shop",component="fake"}} {count}"#))
}

#[tokio::test]
async fn bodies_that_never_come_invoke_nothing_and_end_with_408() {
    let running = Running::start(|_| {});
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut wire = Wire::to(running.address).await;
        wire.send(post(100) + "{").await;
        slow.push(wire);
    }
    wait_until(|| in_flight(&running, 200)).await;
    let answer = ask(running.address, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer.status, 200, "others are served meanwhile");
    for wire in &mut slow {
        let answer = wire.answer().await;
        assert_eq!((answer.status, &answer.problem()["type"]), (408, &"urn:hull:problem:body-timeout".into()));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(wire.rest().await.is_empty());
    }
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 1, "the GET alone");
}

#[tokio::test]
async fn a_trickle_ends_at_the_deadline_of_the_request() {
    let running = Running::start_with_time(Duration::from_millis(200), |_| {});
    let answer = ask(running.address, post(100) + "{").await;
    assert_eq!((answer.status, &answer.problem()["type"]), (408, &"urn:hull:problem:body-timeout".into()));
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_small_body_arrives_whole_in_however_many_pieces() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send(post(4) + "once").await;
    assert_eq!(wire.answer().await.text(), "once");
    wire.send(post(6) + "one").await;
    wait_until(|| in_flight(&running, 1)).await;
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 1, "not before the body is there");
    wire.send("two").await;
    assert_eq!(wire.answer().await.text(), "onetwo");
    for length in [64 * 1024, 64 * 1024 + 1] {
        wire.send(post(length) + &"x".repeat(length)).await;
        assert_eq!(wire.answer().await.body, vec![b'x'; length]);
    }
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_large_body_streams_into_a_component_that_runs() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    let length = usize::try_from(BODY_BYTES_MAX).expect("small");
    wire.send(post(length) + "x").await;
    wait_until(|| running.fake.started.load(Ordering::SeqCst) == 1).await;
    wire.send("x".repeat(length - 1)).await;
    assert_eq!(wire.answer().await.body.len(), length);
}

#[tokio::test]
async fn a_stream_that_stalls_is_an_error_to_the_guest() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n").await;
    let ended = running.fake.body_ended.notified();
    tokio::time::timeout(TEST_TIME, ended).await.expect("the guest learns it");
    let end = running.fake.body_end.lock().take();
    assert!(matches!(&end, Some(Err(BodyError::Peer(why))) if why.contains("stalled")), "{end:?}");
}

#[tokio::test]
async fn a_client_that_leaves_within_a_small_body_invokes_nothing() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send(post(10) + "only").await;
    wait_until(|| in_flight(&running, 1)).await;
    drop(wire);
    wait_until(|| in_flight(&running, 0)).await;

    let mut half = Wire::to(running.address).await;
    half.send(post(10) + "only").await;
    half.stream.shutdown().await.expect("half closed");
    let answer = half.answer().await;
    assert_eq!((answer.status, &answer.problem()["type"]), (400, &"urn:hull:problem:body-broken".into()));
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_stream_whose_body_stalls_does_not_end_its_connection() {
    let running = Running::start(|_| {});
    let stream = TcpStream::connect(running.address).await.expect("a connection");
    let (mut client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = |body: BoxBody<Bytes, std::convert::Infallible>| {
        let post = Request::post(format!("http://{}/echo", running.address)).header("content-length", 4);
        post.body(body).expect("a request")
    };
    // All the bytes are there, but whether trailers follow is open.
    let open = Full::from("body").with_trailers(std::future::pending());
    let stalled = client.send_request(request(open.boxed()));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().expect("a value"));
    let whole = Full::from("body").with_trailers(std::future::ready(Some(Ok(trailers))));
    let answer = client.send_request(request(whole.boxed())).await.expect("an answer");
    assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "body");
    assert_eq!(stalled.await.expect("an answer").status(), StatusCode::REQUEST_TIMEOUT);
    let whole = client.send_request(request(Full::from("more").boxed())).await.expect("an answer");
    assert_eq!(whole.into_body().collect().await.expect("a body").to_bytes(), "more");
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 2);
}
