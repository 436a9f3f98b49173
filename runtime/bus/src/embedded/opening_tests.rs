//! Opening streams: beside a damaged one, by somebody who goes away, and after a payload that looks like a record.

use std::fs;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hull_invocation::{Event, EventKey};
use hull_manifest::Start;

use super::record::{self, Header, Kind};
use super::{EmbeddedBus, EmbeddedOptions};
use crate::bus::{Bus, ConsumerSpec};
use crate::error::BusError;

const PATIENCE: Duration = Duration::from_secs(20);

fn event(id: u64, payload: Vec<u8>) -> Event {
    Event {
        key: EventKey { source: "/shop/orders".into(), id: id.to_string() },
        subject: "a.b".into(),
        time: "2026-01-01T00:00:00.000Z".into(),
        headers: Vec::new(),
        payload: Bytes::from(payload),
    }
}

async fn open(directory: &Path) -> EmbeddedBus {
    EmbeddedBus::open(EmbeddedOptions::new(directory)).await.expect("opens")
}

#[tokio::test]
async fn a_damaged_stream_keeps_only_itself_from_working() {
    let directory = tempfile::tempdir().expect("a directory");
    let bus = open(directory.path()).await;
    for app in ["shop", "blog"] {
        bus.publish(app, &event(1, vec![7; 100])).await.expect("published");
    }
    bus.shutdown().await;
    let segment = directory.path().join("shop/log/00000000000000000001.log");
    let mut bytes = fs::read(&segment).expect("reads");
    bytes[60] ^= 1;
    fs::write(&segment, &bytes).expect("writes");
    let bus = open(directory.path()).await;
    assert_eq!(bus.publish("blog", &event(2, vec![])).await.map(|published| published.sequence), Ok(2));
    let refused = bus.publish("shop", &event(2, vec![])).await;
    assert!(matches!(refused, Err(BusError::Corrupt { .. })), "{refused:?}");
    let status = bus.status().await;
    let problem = |app: &str| status.streams.iter().find(|stream| stream.app == app).map(|stream| &stream.problem);
    assert_eq!(problem("blog"), Some(&None));
    assert!(matches!(problem("shop"), Some(Some(text)) if text.contains("damaged")), "{status:?}");
    bus.shutdown().await;
    assert_eq!(fs::read(&segment).expect("reads"), bytes, "it is left as it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_is_made_though_nobody_waits_for_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let bus = open(directory.path()).await;
    let begin = |begun: std::pin::Pin<&mut (dyn Future<Output = ()> + Send)>| {
        let polled = begun.poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending);
    };
    begin(pin!(async { drop(bus.publish("shop", &event(1, vec![])).await) }));
    let until = async |reached: &dyn Fn(&crate::status::BusStatus) -> bool| {
        let waiting = async {
            while !reached(&bus.status().await) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("in time");
    };
    until(&|status| status.streams.iter().any(|stream| stream.app == "shop")).await;
    let spec = ConsumerSpec {
        app: "shop".into(),
        component: "orders".into(),
        pattern: "a.b".parse().expect("a pattern"),
        ack_wait: PATIENCE,
        ordered: false,
        start: Start::All,
        max_in_flight: 10,
    };
    // Whoever made the stream holds it a moment longer.
    drop(bus.making.lock().await);
    let stream = bus.streams.lock().get("shop").cloned().expect("a stream");
    {
        let _not_made_yet = stream.shared.consumers.read();
        begin(pin!(async { drop(bus.consumer(spec).await) }));
    }
    until(&|status| status.consumers.iter().any(|consumer| consumer.component == "orders")).await;
    assert_eq!(bus.publish("shop", &event(2, vec![])).await.map(|published| published.sequence), Ok(1));
}

#[tokio::test]
async fn a_record_inside_a_payload_promises_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let bus = open(directory.path()).await;
    bus.publish("shop", &event(1, vec![])).await.expect("published");
    let segment = directory.path().join("shop/log/00000000000000000001.log");
    let before = fs::metadata(&segment).expect("metadata").len() as usize;
    let mut forged = Vec::new();
    let header = Header { sequence: 3, time_ms: 7, durable: u64::MAX, kind: Kind::Event };
    record::encode(&mut forged, 0, header, b"forged");
    forged.extend_from_slice(&[0; 100]);
    bus.publish("shop", &event(2, forged)).await.expect("published");
    let whole = fs::read(&segment).expect("reads");
    bus.shutdown().await;
    fs::write(&segment, &whole[..whole.len() - 1]).expect("writes");
    let bus = open(directory.path()).await;
    let status = bus.status().await;
    assert_eq!((status.streams[0].events, &status.streams[0].problem), (1, &None), "torn, and cut off");
    bus.shutdown().await;
    assert_eq!(fs::read(&segment).expect("reads")[..before], whole[..before]);
}
