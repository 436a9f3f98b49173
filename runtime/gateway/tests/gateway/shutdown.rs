//! Stopping: what runs is finished, what does not finish is given up, nothing new is taken.

use std::time::Duration;

use hull_gateway::Drained;
use tokio::net::TcpStream;

use crate::fake::Running;
use crate::passing::wait_until;
use crate::wire::Wire;

const WAIT: &str = "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn running_requests_are_finished_and_idle_connections_closed() {
    let mut running = Running::start(|_| {});
    let address = running.address;
    let mut idle = Wire::to(address).await;
    idle.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.answer().await;
    let mut silent = Wire::to(address).await;
    let mut busy = Wire::to(address).await;
    busy.send(WAIT).await;
    let mut streaming = Wire::to(address).await;
    streaming.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    streaming.head().await;
    wait_until(|| running.metrics.render().contains("hull_connections 4")).await;
    running.tell_to_stop();
    assert!(idle.rest().await.is_empty());
    assert!(silent.rest().await.is_empty());
    assert!(TcpStream::connect(address).await.is_err(), "nothing new is accepted");

    let fake = std::sync::Arc::clone(&running.fake);
    fake.release.notify_waiters();
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.header("connection"), answer.text().as_str()), (200, Some("close"), "waited"));
    assert!(busy.rest().await.is_empty());
    assert!(streaming.rest().await.ends_with(b"0\r\n\r\n"));
    assert_eq!(running.ended().await, Drained { abandoned: 0 });
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_given_up() {
    let mut running = Running::start(|config| config.drain = Duration::from_millis(100));
    let mut busy = Wire::to(running.address).await;
    busy.send(WAIT).await;
    wait_until(|| running.fake.last.lock().is_some()).await;
    running.tell_to_stop();
    running.fake.dropped.wait_for(1).await;
    assert_eq!(running.ended().await, Drained { abandoned: 1 });
    drop(busy);
}
