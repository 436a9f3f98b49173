//! HTTP/2 with prior knowledge, on the same port.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::fake::{BODY_BYTES_MAX, Running};
use crate::passing::wait_until;

async fn connect(running: &Running) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(running.address).await.expect("a connection");
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    client
}

fn get(running: &Running, path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://{}{path}", running.address)).body(Full::default()).expect("a request")
}

#[tokio::test]
async fn requests_share_a_connection() {
    let running = Running::start(|_| {});
    let mut client = connect(&running).await;
    let waiting = client.send_request(get(&running, "/wait"));
    let answer = client.send_request(get(&running, "/hello?a=b")).await.expect("an answer");
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert!(answer.headers().contains_key("x-request-id"));
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(body, "hello");
    let (_, headers, uri) = running.fake.last.lock().take().expect("a request");
    assert_eq!(uri, "/hello?a=b");
    assert_eq!(headers["host"], running.address.to_string());
    running.fake.release.notify_waiters();
    assert_eq!(waiting.await.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn bodies_are_bounded_and_refusals_explained() {
    let running = Running::start(|_| {});
    let mut client = connect(&running).await;
    let bytes = vec![b'x'; usize::try_from(BODY_BYTES_MAX).expect("small") + 1];
    let request = Request::post(format!("http://{}/echo", running.address)).body(Full::from(bytes)).expect("a request");
    let answer = client.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);

    let mut request = get(&running, "/hello");
    request.headers_mut().insert("host", "other.example".parse().expect("a value"));
    let answer = client.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");

    let mut request = get(&running, "/hello");
    request.headers_mut().insert("a", "x".repeat(70_000).parse().expect("a value"));
    let answer = client.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn trailers_follow_a_body_of_a_told_length() {
    let running = Running::start(|_| {});
    let mut client = connect(&running).await;
    let answer = client.send_request(get(&running, "/told-trailers")).await.expect("an answer");
    assert_eq!(answer.headers()["content-length"], "6");
    let body = answer.into_body().collect().await.expect("a body");
    assert_eq!(body.trailers().map(|trailers| &trailers["x-sum"]), Some(&"1".parse().expect("a value")));
    assert_eq!(body.to_bytes(), "first ");
}

#[tokio::test]
async fn a_body_of_a_told_length_is_complete_without_its_end() {
    let running = Running::start_with_time(Duration::from_millis(100), |_| {});
    let mut client = connect(&running).await;
    let answer = client.send_request(get(&running, "/told")).await.expect("an answer");
    let body = answer.into_body().collect().await.expect("a whole body, though its guest goes on");
    assert_eq!(body.to_bytes(), "first ");
}

#[tokio::test]
async fn a_reset_stream_cancels_its_guest_and_no_other() {
    let running = Running::start(|_| {});
    let mut client = connect(&running).await;
    let kept = client.send_request(get(&running, "/stream")).await.expect("an answer");
    let waiting = tokio::spawn(client.send_request(get(&running, "/wait")));
    wait_until(|| running.fake.started.load(Ordering::SeqCst) == 2).await;
    waiting.abort();
    assert!(waiting.await.is_err(), "given up by the client");
    running.fake.dropped.wait_for(1).await;
    running.fake.release.notify_waiters();
    assert_eq!(kept.into_body().collect().await.expect("the whole body").to_bytes(), "first ");
}

#[tokio::test]
async fn the_deadline_ends_a_stream_that_nobody_reads() {
    let running = Running::start_with_time(Duration::from_millis(100), |_| {});
    let mut client = connect(&running).await;
    let answer = client.send_request(get(&running, "/flood")).await.expect("an answer");
    running.fake.dropped.wait_for(1).await;
    assert!(answer.into_body().collect().await.is_err(), "cut off");
    let waiting = client.send_request(get(&running, "/wait")).await.expect("an answer");
    assert_eq!(waiting.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn streams_are_finished_when_the_gateway_stops() {
    let mut running = Running::start(|_| {});
    let address = running.address;
    let mut client = connect(&running).await;
    let answer = client.send_request(get(&running, "/stream")).await.expect("an answer");
    running.tell_to_stop();
    let (fake, ended) = (std::sync::Arc::clone(&running.fake), tokio::spawn(running.ended()));
    tokio::time::timeout(crate::fake::TEST_TIME, async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("nothing new is taken");
    fake.release.notify_waiters();
    assert_eq!(answer.into_body().collect().await.expect("the whole body").to_bytes(), "first ");
    assert_eq!(ended.await.expect("no panic").abandoned, 0);
}

#[tokio::test]
async fn an_idle_connection_is_closed_whatever_else_it_sends() {
    let running = Running::start(|config| config.idle_timeout = Duration::from_millis(100));
    let stream = TcpStream::connect(running.address).await.expect("a connection");
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(Duration::from_millis(20)).keep_alive_while_idle(true);
    let (mut client, connection) = builder.handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.expect("HTTP/2");
    let closed = tokio::spawn(connection);
    let answer = client.send_request(get(&running, "/hello")).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let ended = tokio::time::timeout(crate::fake::TEST_TIME, closed).await.expect("closed in time");
    drop(ended.expect("no panic"));
}
