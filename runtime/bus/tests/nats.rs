//! What only the NATS backend has to show: servers that are killed, clients that are not Hull, hosts that share.

// Outside of `#[test]` functions clippy takes a test's code for the product's.
#![allow(clippy::expect_used, clippy::needless_pass_by_value)]

#[path = "nats/access.rs"]
mod access;
#[path = "nats/outage.rs"]
mod outage;
#[path = "nats/plain.rs"]
mod plain;
#[path = "conformance/server.rs"]
mod server;
#[path = "nats/sharing.rs"]
mod sharing;
#[path = "nats/wire.rs"]
mod wire;

use std::time::Duration;

use bytes::Bytes;
use hull_bus::{Consumer, ConsumerSpec, Delivery, NatsBus, NatsOptions};
use hull_invocation::{Event, EventKey};
use hull_manifest::Start;

/// No test waits longer than this for something that has to come.
const PATIENCE: Duration = Duration::from_mins(1);

async fn open(server: &server::Server) -> NatsBus {
    NatsBus::open(NatsOptions::new(server.url())).await.expect("the bus opens")
}

fn event(id: &str, subject: &str) -> Event {
    Event {
        key: EventKey { source: "/shop/orders".into(), id: id.into() },
        subject: subject.into(),
        time: "2026-01-01T00:00:00.000Z".into(),
        headers: Vec::new(),
        payload: Bytes::from(format!("payload of {id}")),
    }
}

fn spec(component: &str, subjects: &str) -> ConsumerSpec {
    ConsumerSpec {
        app: "shop".into(),
        component: component.into(),
        pattern: subjects.parse().expect("a pattern"),
        ack_wait: Duration::from_secs(30),
        ordered: false,
        start: Start::All,
        max_in_flight: 1000,
    }
}

async fn fetch(consumer: &mut Box<dyn Consumer>, max: usize) -> Vec<Delivery> {
    soon(consumer.fetch(max)).await.expect("fetches")
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}
