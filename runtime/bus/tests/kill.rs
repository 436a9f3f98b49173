//! A publisher is killed at a random moment, again and again: every event whose publish was acknowledged is there
//! afterwards, and every acknowledged delivery that was written down stays acknowledged.
//!
//! The test is its own child: run with a directory, it publishes until it is killed.

// Outside of `#[test]` functions clippy takes a test's code for the product's.
#![allow(clippy::expect_used, clippy::duration_suboptimal_units, clippy::needless_pass_by_value)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use hull_bus::{Bus, ConsumerSpec, EmbeddedBus, EmbeddedOptions};
use hull_invocation::{Event, EventKey};
use hull_manifest::Start;

const ROUNDS: u64 = 8;
const CHILD: &str = "HULL_BUS_CHILD";

fn main() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    match std::env::var_os(CHILD) {
        Some(directory) => runtime.block_on(publish_for_ever(Path::new(&directory))),
        None => runtime.block_on(kill_and_check()),
    }
}

fn options(directory: &Path) -> EmbeddedOptions {
    EmbeddedOptions { segment_bytes: 64 << 10, ..EmbeddedOptions::new(directory) }
}

/// Eight publishers at once, so that batches are torn in the middle; each says what was acknowledged.
async fn publish_for_ever(directory: &Path) {
    let bus = std::sync::Arc::new(EmbeddedBus::open(options(directory)).await.expect("opens"));
    let round = hull_clock::random_u64();
    let publishers = (0..8).map(|publisher| {
        let bus = std::sync::Arc::clone(&bus);
        tokio::spawn(async move {
            for number in 0_u64.. {
                let id = format!("{round}-{publisher}-{number}");
                let event = Event {
                    key: EventKey { source: "/shop/orders".into(), id: id.clone() },
                    subject: "a.b".into(),
                    time: String::new(),
                    headers: Vec::new(),
                    payload: Bytes::from(vec![publisher; (number % 700) as usize]),
                };
                let published = bus.publish("shop", &event).await.expect("published");
                println!("{} {id}", published.sequence);
            }
        })
    });
    futures::future::join_all(publishers.collect::<Vec<_>>()).await;
}

async fn kill_and_check() {
    let seed = hull_clock::random_u64();
    println!("seed {seed}");
    let directory = tempfile::tempdir().expect("a directory");
    let mut acknowledged: Vec<(u64, String)> = Vec::new();
    for round in 0..ROUNDS {
        let lines_until_kill = (seed >> (round * 8)) % 256 + 20;
        let mut child = Command::new(std::env::current_exe().expect("this file"))
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let before = acknowledged.len();
        while let Some(Ok(line)) = lines.next() {
            if acknowledged.len() as u64 - before as u64 == lines_until_kill {
                child.kill().expect("kills");
            }
            // What the pipe still held counts as well; only a last line that was cut off does not.
            if let Some((sequence, id)) = line.split_once(' ')
                && id.split('-').count() == 3
            {
                acknowledged.push((sequence.parse().expect("a number"), id.to_owned()));
            }
        }
        child.wait().expect("ends");
        assert!(acknowledged.len() > before, "round {round}: nothing was published");
        check(directory.path(), &acknowledged).await;
        println!("round {round}: {} acknowledged, all there", acknowledged.len());
    }
}

async fn check(directory: &Path, acknowledged: &[(u64, String)]) {
    let bus = EmbeddedBus::open(options(directory)).await.expect("opens after a kill");
    let spec = ConsumerSpec {
        app: "shop".into(),
        component: "reader".into(),
        pattern: ">".parse().expect("a pattern"),
        ack_wait: Duration::from_secs(60),
        ordered: false,
        start: Start::All,
        max_in_flight: 1_000_000,
    };
    bus.remove_consumer("shop", "reader", &spec.pattern).await.expect("removes");
    let mut consumer = bus.consumer(spec).await.expect("opens");
    let count = bus.status().await.streams[0].events as usize;
    let mut held = std::collections::HashMap::new();
    while held.len() < count {
        for delivery in consumer.fetch(1000).await.expect("fetches") {
            held.insert(delivery.sequence, delivery.event.key.id);
        }
    }
    for (sequence, id) in acknowledged {
        // The last line of a killed child may be cut within its id.
        let kept = held.get(sequence);
        assert!(kept.is_some_and(|kept| kept.starts_with(id.as_str())), "{sequence} {id} is gone: {kept:?}");
    }
    bus.shutdown().await;
}
