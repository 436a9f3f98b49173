//! The backends under test, and what the tests need to speak to them.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use hull_bus::{Bus, BusStatus, Consumer, ConsumerSpec, Delivery, EmbeddedBus, EmbeddedOptions, NatsBus, NatsOptions};
use hull_invocation::{Event, EventKey};
use hull_manifest::{Start, SubjectPattern};
use tempfile::TempDir;

use crate::server::Server;

/// No test waits longer than this for something that has to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long tests watch for something that must not come.
pub(crate) const A_WHILE: Duration = Duration::from_millis(150);

/// What a test wants to be different from the default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning {
    pub(crate) bytes_max: u64,
    pub(crate) retain: Duration,
    pub(crate) requests_max: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { bytes_max: 1 << 30, retain: Duration::from_secs(3600), requests_max: 100 }
    }
}

/// A place where a bus can be opened, closed and opened again.
pub(crate) enum Backend {
    Embedded { directory: TempDir, sync: bool },
    Nats(Server),
}

/// The embedded bus.
pub(crate) fn embedded() -> Backend {
    Backend::Embedded { directory: tempfile::tempdir().expect("a directory"), sync: true }
}

/// The embedded bus that does not wait for the disk.
pub(crate) fn embedded_unsynced() -> Backend {
    Backend::Embedded { directory: tempfile::tempdir().expect("a directory"), sync: false }
}

/// NATS JetStream.
pub(crate) fn nats() -> Backend {
    Backend::Nats(Server::start())
}

impl Backend {
    pub(crate) async fn open(&self) -> Box<dyn Bus> {
        self.open_tuned(Tuning::default()).await
    }

    pub(crate) async fn open_tuned(&self, tuning: Tuning) -> Box<dyn Bus> {
        let Tuning { bytes_max, retain, requests_max } = tuning;
        match self {
            Self::Embedded { directory, sync } => {
                let directory: PathBuf = directory.path().join("bus");
                let (sync, segment_bytes) = (*sync, bytes_max / 8);
                let defaults = EmbeddedOptions::new(directory);
                let options = EmbeddedOptions { bytes_max, retain, requests_max, sync, segment_bytes, ..defaults };
                Box::new(EmbeddedBus::open(options).await.expect("the bus opens"))
            }
            Self::Nats(server) => {
                let defaults = NatsOptions::new(server.url());
                let options = NatsOptions { bytes_max, retain, requests_max, ..defaults };
                Box::new(NatsBus::open(options).await.expect("the bus opens"))
            }
        }
    }
}

pub(crate) fn event(id: &str, subject: &str) -> Event {
    Event {
        key: EventKey { source: "/shop/orders".into(), id: id.into() },
        subject: subject.into(),
        time: "2026-01-01T00:00:00.000Z".into(),
        headers: vec![("x-correlation-id".into(), format!("c-{id}"))],
        payload: Bytes::from(format!("payload of {id}")),
    }
}

pub(crate) fn pattern(text: &str) -> SubjectPattern {
    text.parse().expect("a pattern")
}

pub(crate) fn spec(component: &str, subjects: &str) -> ConsumerSpec {
    ConsumerSpec {
        app: "shop".into(),
        component: component.into(),
        pattern: pattern(subjects),
        ack_wait: Duration::from_secs(30),
        ordered: false,
        start: Start::All,
        max_in_flight: 1000,
    }
}

pub(crate) async fn publish(bus: &dyn Bus, ids: std::ops::RangeInclusive<u32>, subject: &str) {
    for id in ids {
        bus.publish("shop", &event(&id.to_string(), subject)).await.expect("published");
    }
}

/// Wait for events; fails if none come.
pub(crate) async fn fetch(consumer: &mut Box<dyn Consumer>, max: usize) -> Vec<Delivery> {
    soon(consumer.fetch(max)).await.expect("fetches")
}

/// Wait for so many events.
pub(crate) async fn fetch_all(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        deliveries.extend(fetch(consumer, count - deliveries.len()).await);
    }
    deliveries
}

/// Watch that nothing comes.
pub(crate) async fn nothing_comes(consumer: &mut Box<dyn Consumer>) {
    nothing_comes_for(A_WHILE, consumer).await;
}

/// Watch for so long that nothing comes.
pub(crate) async fn nothing_comes_for(time: Duration, consumer: &mut Box<dyn Consumer>) {
    let came = tokio::time::timeout(time, consumer.fetch(100)).await;
    assert!(came.is_err(), "{came:?}");
}

/// Wait for what has to come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Wait for a status that is as it should be: a server counts an answer a little after it was given.
pub(crate) async fn status_when(bus: &dyn Bus, is_right: impl Fn(&BusStatus) -> bool) -> BusStatus {
    let until = hull_clock::now() + PATIENCE;
    loop {
        let status = bus.status().await;
        if is_right(&status) || hull_clock::now() >= until {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event.key.id.as_str()).collect()
}
