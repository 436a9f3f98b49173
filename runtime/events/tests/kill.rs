//! A host that handles events is killed at random moments, and once in a way that no other test can: between a
//! commit and its acknowledgement. In the end every event has had its effect once and what it published is on the bus
//! once, under ids that every started handler made anew.
//!
//! The test is its own child: run with a directory, it handles events until it is killed or there are none left.

// Outside of `#[test]` functions clippy takes a test's code for the product's.
#![allow(clippy::expect_used, clippy::duration_suboptimal_units, clippy::needless_pass_by_value)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hull_bus::{Bus, ConsumerSpec, EmbeddedBus, EmbeddedOptions};
use hull_dispatch::{Body, Invoke};
use hull_events::{ComponentConfig, Events, Subscription};
use hull_invocation::{ComponentId, Event, EventKey, EventOutcome, Failure, Invocation, Lineage};
use hull_manifest::{Delivery, Start};
use hull_storage::{
    ComponentDir, Database, DatabaseOptions, EventIdentity, Finished, Migration, OutgoingEvent, SessionOptions, Value,
};
use hull_telemetry::Metrics;

const EVENTS: usize = 400;
const KILLS_MAX: u64 = 12;
const CHILD: &str = "HULL_EVENTS_CHILD";

fn main() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    match std::env::var_os(CHILD) {
        Some(directory) => runtime.block_on(handle_for_ever(Path::new(&directory))),
        None => runtime.block_on(kill_and_check()),
    }
}

fn orders() -> ComponentId {
    ComponentId::new("shop", "orders")
}

async fn open(directory: &Path) -> (Arc<EmbeddedBus>, Database) {
    let options = EmbeddedOptions { segment_bytes: 16 << 10, ..EmbeddedOptions::new(directory.join("bus")) };
    let bus = Arc::new(EmbeddedBus::open(options).await.expect("the bus opens"));
    let folder = directory.join("orders");
    std::fs::create_dir_all(&folder).expect("makes a folder");
    let folder = ComponentDir::unowned(&folder).expect("a folder");
    let mut options = DatabaseOptions::new(orders());
    options.limits.statement_time = Duration::from_secs(30);
    options.limits.transaction_time = Duration::from_secs(30);
    let database = Database::new(&folder, options);
    let sql = "CREATE TABLE effects (event TEXT NOT NULL)".to_owned();
    database.migrate(&[Migration { number: 1, name: "effects".into(), sql }]).await.expect("migrates");
    (bus, database)
}

/// Every event: an effect, an event of its own, and the mark, in one unit.
struct Door(Database);

#[async_trait]
impl Invoke for Door {
    async fn http(&self, _: Invocation, _: http::Request<Body>) -> Result<http::Response<Body>, Failure> {
        Err(Failure::Internal("nothing here speaks HTTP".into()))
    }

    async fn event(&self, call: Invocation, event: Event, _: u32, _: bool) -> Result<EventOutcome, Failure> {
        let away = |error: hull_storage::StorageError| {
            let component = orders();
            Failure::Unavailable { component, message: error.to_string() }
        };
        let session = self.0.session(SessionOptions {
            frame: Arc::clone(call.lineage.frame()),
            deadline: call.deadline,
            event: Some(EventIdentity::of(&event)),
            expects_reply: false,
        });
        let effect = "INSERT INTO effects (event) VALUES ($1)".to_owned();
        session.execute(effect, vec![Value::Text(event.key.id.clone())]).await.map_err(away)?;
        let outgoing = OutgoingEvent {
            id: hull_clock::time_ordered_id().to_string(),
            subject: "out.done".into(),
            time: hull_clock::rfc3339_now(),
            headers: Vec::new(),
            payload: event.key.id.clone().into(),
            deliver_at_ms: None,
        };
        session.publish(outgoing).await.map_err(away)?;
        let finished = session.finish_event().await.map_err(away)?;
        // Long, so that few of them fit into the pipe: the child waits for whoever is to kill it.
        println!("committed {} {}", event.key.id, "-".repeat(4096));
        // Now and then the acknowledgement is late, so that a kill comes before it.
        if hull_clock::random_u64().is_multiple_of(8) {
            tokio::time::sleep_until((hull_clock::now() + Duration::from_millis(30)).into()).await;
        }
        Ok(match finished {
            Finished::Committed => EventOutcome::Handled(None),
            Finished::AlreadyHandled => EventOutcome::AlreadyHandled,
        })
    }
}

async fn handle_for_ever(directory: &Path) {
    let (bus, database) = open(directory).await;
    let events = Events::new(Arc::clone(&bus) as _, Arc::new(Door(database.clone())), Duration::from_secs(3600));
    let config = ComponentConfig {
        id: orders(),
        subscriptions: vec![Subscription {
            pattern: "in.>".parse().expect("a pattern"),
            delivery: Delivery::default(),
        }],
        publishes: vec!["out.>".parse().expect("a pattern")],
        schemas: None,
        consumers: 8,
        time: Duration::from_secs(30),
        database,
        metrics: Metrics::new().component(&orders()),
    };
    events.start(config, Duration::ZERO).await;
    loop {
        let status = events.status().await.remove(0);
        let left: u64 = status.consumers.iter().map(|consumer| consumer.backlog + consumer.in_flight).sum();
        if left == 0 && status.outbox == Some(0) {
            println!("done {:?}", status.counts);
            events.shutdown(Duration::from_secs(10)).await;
            return bus.shutdown().await;
        }
        tokio::time::sleep_until((hull_clock::now() + Duration::from_millis(5)).into()).await;
    }
}

async fn kill_and_check() {
    let seed = hull_clock::random_u64();
    println!("seed {seed}");
    let directory = tempfile::tempdir().expect("a directory");
    let (bus, database) = open(directory.path()).await;
    for id in 0..EVENTS {
        let event = Event {
            key: EventKey { source: "/shop/payments".into(), id: id.to_string() },
            subject: "in.a".into(),
            time: hull_clock::rfc3339_now(),
            headers: Vec::new(),
            payload: id.to_string().into(),
        };
        bus.publish("shop", &event).await.expect("published");
    }
    bus.shutdown().await;
    database.close().await;
    let mut kills = 0;
    loop {
        let lines_until_kill = if kills < KILLS_MAX { (seed >> (kills * 5)) % 32 + 1 } else { u64::MAX };
        if !run_child(directory.path(), lines_until_kill) {
            break;
        }
        kills += 1;
    }
    println!("killed {kills} times");
    assert!(kills >= 5, "the child was hardly ever killed");
    check(directory.path()).await;
}

/// Run the child until it has committed so many; whether it was killed.
fn run_child(directory: &Path, lines_until_kill: u64) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("this file"))
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut committed = 0;
    for line in BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok) {
        if line.starts_with("done") {
            println!("{line}");
        }
        committed += u64::from(line.starts_with("committed"));
        if committed == lines_until_kill {
            child.kill().expect("kills");
        }
    }
    !child.wait().expect("ends").success()
}

async fn check(directory: &Path) {
    let (bus, database) = open(directory).await;
    let frame = Arc::clone(Lineage::root(orders()).frame());
    let deadline = hull_clock::now() + Duration::from_secs(20);
    let session = database.session(SessionOptions { frame, deadline, event: None, expects_reply: false });
    let rows = session.query("SELECT event FROM effects".into(), Vec::new()).await.expect("reads").rows;
    let mut effects = BTreeMap::<String, u32>::new();
    for row in rows {
        if let Some(Value::Text(id)) = row.into_iter().next() {
            *effects.entry(id).or_default() += 1;
        }
    }
    once_each("effect", &effects);
    let spec = ConsumerSpec {
        app: "shop".into(),
        component: "reader".into(),
        pattern: "out.>".parse().expect("a pattern"),
        ack_wait: Duration::from_secs(60),
        ordered: false,
        start: Start::All,
        max_in_flight: EVENTS * 4,
    };
    let mut consumer = bus.consumer(spec).await.expect("opens");
    let total = bus.status().await.streams[0].events as usize - EVENTS;
    let (mut out, mut fetched) = (BTreeMap::<String, u32>::new(), 0);
    while fetched < total {
        for delivery in consumer.fetch(1000).await.expect("fetches") {
            fetched += 1;
            *out.entry(String::from_utf8_lossy(&delivery.event.payload).into_owned()).or_default() += 1;
        }
    }
    once_each("event out", &out);
}

fn once_each(what: &str, counted: &BTreeMap<String, u32>) {
    assert_eq!(counted.len(), EVENTS, "every event has its {what}");
    let doubled: Vec<_> = counted.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "more than one {what}: {doubled:?}");
}
