//! Requests' bodies: bounded, honest or reported, and cancelled with their client.

use hull_dispatch::BodyError;

use crate::fake::{BODY_BYTES_MAX, Running, TEST_TIME};
use crate::passing::wait_until;
use crate::wire::Wire;

fn post(length: usize) -> String {
    format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test]
async fn a_body_at_the_bound_passes_and_one_above_is_refused_at_once() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    let largest = usize::try_from(BODY_BYTES_MAX).expect("small");
    wire.send(post(largest) + &"x".repeat(largest)).await;
    assert_eq!(wire.answer().await.body.len(), largest);
    wire.send(post(largest + 1)).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, &answer.problem()["type"]), (413, &"urn:hull:problem:body-too-large".into()));
}

#[tokio::test]
async fn a_body_that_grows_above_the_bound_is_refused_when_it_does() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("2710\r\n{}\r\n", "x".repeat(10_000));
    for _ in 0..11 {
        wire.send(&chunk).await;
    }
    assert_eq!(wire.answer().await.status, 413);
    let end = running.fake.body_end.lock().take();
    assert_eq!(end, Some(Err(BodyError::TooLarge { limit_bytes: BODY_BYTES_MAX })));
}

#[tokio::test]
async fn a_large_upload_that_is_refused_still_gets_its_answer() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send(post(8_000_000) + &"x".repeat(8_000_000)).await;
    assert_eq!(wire.answer().await.status, 413);
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error_to_the_guest() {
    let running = Running::start(|_| {});
    for request in [
        post(90_000) + "only",
        "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab".to_owned(),
    ] {
        let mut wire = Wire::to(running.address).await;
        wire.send(request).await;
        wait_until(|| running.fake.last.lock().is_some()).await;
        drop(wire);
        let ended = running.fake.body_ended.notified();
        tokio::time::timeout(TEST_TIME, ended).await.expect("the guest learns it");
        let end = running.fake.body_end.lock().take();
        assert!(matches!(end, Some(Err(BodyError::Peer(_)))), "{end:?}");
        running.fake.last.lock().take();
    }
}

#[tokio::test]
async fn chunks_that_lie_are_an_error_to_the_guest() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n").await;
    tokio::time::timeout(TEST_TIME, running.fake.body_ended.notified()).await.expect("the guest learns it");
    let end = running.fake.body_end.lock().take();
    assert!(matches!(end, Some(Err(BodyError::Peer(_)))), "{end:?}");
}

#[tokio::test]
async fn a_client_that_asks_before_sending_is_told_to_go_on_or_not() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
    assert_eq!(wire.head().await, "HTTP/1.1 100 Continue\r\n");
    wire.send("body").await;
    assert_eq!(wire.answer().await.text(), "body");
    wire.send("POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 400000\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 413);
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_guest() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    wait_until(|| running.fake.last.lock().is_some()).await;
    drop(wire);
    running.fake.dropped.wait_for(1).await;

    let mut wire = Wire::to(running.address).await;
    wire.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    wire.head().await;
    drop(wire);
    running.fake.dropped.wait_for(2).await;
    wait_until(|| running.metrics.render().contains(r#"in_flight{app="shop",component="fake"} 0"#)).await;
}

#[tokio::test]
async fn half_an_answer_is_not_passed_off_as_a_whole_one() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("GET /half HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(wire.head().await.contains("transfer-encoding: chunked"));
    running.fake.release.notify_one();
    let rest = wire.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&rest));
    let lines = running.logs.tail(None, 10);
    assert!(lines.iter().any(|line| line.message.contains("the other half")), "{lines:?}");
}

#[tokio::test]
async fn a_body_that_fails_before_its_first_byte_is_no_answer() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    wire.send("GET /none HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, &answer.problem()["type"]), (500, &"urn:hull:problem:internal".into()));
}
