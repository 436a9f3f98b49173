//! Requests that are not HTTP, or not quite: every one gets an answer that says what is wrong.

use std::sync::atomic::Ordering;

use crate::fake::Running;
use crate::wire::{Wire, ask};

#[tokio::test]
async fn malformed_requests_are_told_what_is_wrong() {
    let running = Running::start(|_| {});
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(100));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(9_000));
    let cases: &[(&[u8], u16, &str)] = &[
        (b"GET / HTTP/1.1\r\n\r\n", 400, "host-missing"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400, "host-ambiguous"),
        (b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400, "host-invalid"),
        (b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", 400, "host-invalid"),
        (b"GET / HTTP/1.1\r\nhost:\r\n\r\n", 400, "host-invalid"),
        (b"GET http://u@a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400, "host-invalid"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400, "content-length"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na", 400, "content-length"),
        (
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "content-length-and-transfer-encoding",
        ),
        (
            b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
            400,
            "content-length-and-transfer-encoding",
        ),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n", 501, "transfer-coding"),
        (b"GET / HTTP/1.1\nhost: x\n\n", 400, "bare-line-feed"),
        (b"GET / HTTP/1.1\r\nhost: x\n\r\n", 400, "bare-line-feed"),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n", 400, "header-line"),
        (b"GET / HTTP/1.1\r\nhost: x\r\na : b\r\n\r\n", 400, "header-line"),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: \xff\r\n\r\n", 400, "header-encoding"),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", 400, "request-target"),
        (b"GET /a<b HTTP/1.1\r\nhost: x\r\n\r\n", 400, "request-target"),
        (b"GET /%ff HTTP/1.1\r\nhost: x\r\n\r\n", 400, "path-encoding"),
        (b"hello\r\n\r\n", 400, "request-line"),
        (b"GET / HTTP/1.2\r\nhost: x\r\n\r\n", 505, "http-version"),
        (many.as_bytes(), 431, "headers-too-large"),
        (long.as_bytes(), 414, "request-target-too-long"),
    ];
    for (request, status, word) in cases {
        let answer = ask(running.address, request).await;
        let sent = String::from_utf8_lossy(request);
        assert_eq!(
            (answer.status, &answer.problem()["type"]),
            (*status, &format!("urn:hull:problem:{word}").into()),
            "{sent}"
        );
    }
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 0, "no component was asked");
}

#[tokio::test]
async fn a_mebibyte_of_headers_is_refused_and_the_client_learns_it() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    let header = format!("a: {}\r\n", "x".repeat(1000));
    wire.send(format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", header.repeat(1024))).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, &answer.problem()["type"]), (431, &"urn:hull:problem:headers-too-large".into()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(wire.rest().await.is_empty());
}

#[tokio::test]
async fn a_refusal_waits_for_the_answers_before_it_and_ends_the_connection() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send(
        "GET /a HTTP/1.1\r\nhost: x\r\n\r\nPOST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody\
         GET /b HTTP/1.1\r\nhost: x\r\nbad\r\n\r\nGET /never HTTP/1.1\r\nhost: x\r\n\r\n",
    )
    .await;
    assert_eq!(wire.answer().await.text(), "hello");
    assert_eq!(wire.answer().await.text(), "body");
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
    assert!(wire.rest().await.is_empty());
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn heads_may_come_in_pieces_and_after_an_empty_line() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    for byte in
        b"\r\nPOST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"
    {
        wire.send([*byte]).await;
    }
    assert_eq!(wire.answer().await.text(), "abc");
    wire.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(wire.answer().await.text(), "hello");
}

#[tokio::test]
async fn a_client_that_sends_the_stand_in_request_refuses_only_itself() {
    let running = Running::start(|_| {});
    for (path, status) in [("/bare-line-feed", 400), ("/anything", 405)] {
        let answer = ask(running.address, format!("HULL-REFUSED {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(running.fake.started.load(Ordering::SeqCst), 0);
}
