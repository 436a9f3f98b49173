//! Connections that are slow, idle, stalled or too many.

use std::time::Duration;

use crate::fake::Running;
use crate::passing::wait_until;
use crate::wire::Wire;

const GET: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_head_that_does_not_come_in_time_is_given_up() {
    let running = Running::start(|config| config.header_read_timeout = Duration::from_millis(100));
    let mut silent = Wire::to(running.address).await;
    assert!(silent.rest().await.is_empty());

    let mut slow = Wire::to(running.address).await;
    slow.send("GET / HTTP/1.1\r\nhost:").await;
    let answer = slow.answer().await;
    assert_eq!((answer.status, &answer.problem()["type"]), (408, &"urn:hull:problem:head-timeout".into()));
    assert!(slow.rest().await.is_empty());

    let mut second = Wire::to(running.address).await;
    second.send(GET).await;
    assert_eq!(second.answer().await.status, 200);
    second.send("GET ").await;
    assert_eq!(second.answer().await.status, 408);
}

#[tokio::test]
async fn an_idle_connection_is_closed_but_not_while_it_is_answered() {
    let running = Running::start(|config| config.idle_timeout = Duration::from_millis(100));
    let mut wire = Wire::to(running.address).await;
    wire.send(GET).await;
    assert_eq!(wire.answer().await.status, 200);
    assert!(wire.rest().await.is_empty());

    let mut waiting = Wire::to(running.address).await;
    waiting.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut other = Wire::to(running.address).await;
    other.send(GET).await;
    other.answer().await;
    assert!(other.rest().await.is_empty(), "idle for as long as the other waits");
    running.fake.release.notify_waiters();
    assert_eq!(waiting.answer().await.text(), "waited");
}

#[tokio::test]
async fn connections_above_the_cap_are_told_so() {
    let running = Running::start(|config| config.connections_max = 2);
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::to(running.address).await;
        wire.send(GET).await;
        wire.answer().await;
        open.push(wire);
    }
    let mut third = Wire::to(running.address).await;
    third.send(GET).await;
    let answer = third.answer().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(third.rest().await.is_empty());
    assert!(running.metrics.render().contains("hull_connections_refused_total 1"));

    open.pop();
    wait_until(|| running.metrics.render().contains("hull_connections 1")).await;
    let mut fourth = Wire::to(running.address).await;
    fourth.send(GET).await;
    assert_eq!(fourth.answer().await.status, 200);
}

#[tokio::test]
async fn a_client_that_takes_nothing_does_not_keep_the_guest() {
    let running = Running::start(|config| config.write_stall_timeout = Duration::from_millis(200));
    let mut stalled = Wire::to(running.address).await;
    stalled.send("GET /flood HTTP/1.1\r\nhost: x\r\n\r\n").await;
    running.fake.dropped.wait_for(1).await;
}

#[tokio::test]
async fn the_deadline_ends_an_answer_that_nobody_reads() {
    let running = Running::start_with_time(Duration::from_millis(100), |_| {});
    let mut stalled = Wire::to(running.address).await;
    stalled.send("GET /flood HTTP/1.1\r\nhost: x\r\n\r\n").await;
    running.fake.dropped.wait_for(1).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = Running::start(|_| {});
    let mut wire = Wire::to(running.address).await;
    let requests = (0..100).map(|number| {
        let body = format!("number {number}");
        format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    });
    wire.send(requests.collect::<String>()).await;
    for number in 0..100 {
        assert_eq!(wire.answer().await.text(), format!("number {number}"));
    }
}
