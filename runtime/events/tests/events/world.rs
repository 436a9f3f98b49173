//! A bus, databases, and a door whose guests do what a test says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hull_bus::{Bus, BusStatus};
use hull_dispatch::{Body, Invoke};
use hull_events::{ComponentConfig, ComponentEvents, Counts, Events, Subscription};
use hull_invocation::{ComponentId, Event, EventKey, EventOutcome, Failure, Invocation, Lineage, Reply};
use hull_manifest::Delivery;
use hull_storage::{
    ComponentDir, Database, DatabaseOptions, EventIdentity, Finished, Migration, OutgoingEvent, Session,
    SessionOptions, StorageError, Value,
};
use hull_telemetry::Metrics;
use tokio::sync::{Semaphore, watch};

use crate::place::Place;

/// No test waits longer than this for something that has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const DRAIN: Duration = Duration::from_secs(10);
const RETAIN: Duration = Duration::from_secs(3600);

/// What a played guest does with an event.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Write an effect and accept.
    Accept,
    /// The same, after the gate has let it through.
    AcceptAtGate,
    /// Write an effect, publish this subject in the same unit, and accept.
    AcceptAndPublish(&'static str),
    /// Write an effect, accept, commit; the host ends before anybody hears of it.
    CommitAndVanish,
    /// Write an effect, accept, commit; the deadline passes before the answer comes.
    CommitLate,
    /// Write an effect, then take none of it.
    Retry(Option<Duration>),
    Reject(&'static str),
    Conflict,
    Answer(&'static str),
    Fail(Failure),
}

type Script = dyn Fn(&Event, u32) -> Act + Send + Sync;

/// One started handler.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) invocation: Invocation,
}

/// Plays every guest.
pub(crate) struct Door {
    database: Database,
    script: Box<Script>,
    calls: watch::Sender<Vec<Call>>,
    pub(crate) gate: Semaphore,
}

impl Door {
    /// Every handler that was started, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// Wait until so many handlers were started.
    pub(crate) async fn started(&self, count: usize) -> Vec<Call> {
        let mut calls = self.calls.subscribe();
        let reached = soon(calls.wait_for(|calls| calls.len() >= count)).await;
        reached.expect("the door is there").clone()
    }

    async fn play(&self, session: &Session, event: &Event, act: Act) -> Result<EventOutcome, Failure> {
        let effect = "INSERT INTO effects (event) VALUES ($1)".to_owned();
        session.execute(effect, vec![Value::Text(event.key.id.clone())]).await.map_err(unavailable)?;
        let reply = match act {
            Act::Retry(after) => return Ok(EventOutcome::Retry(after)),
            Act::Reject(why) => return Ok(EventOutcome::Reject(why.into())),
            Act::Conflict => return Ok(EventOutcome::Conflict),
            Act::Fail(failure) => return Err(failure),
            Act::Answer(text) => Some(Reply { headers: Vec::new(), payload: Bytes::from_static(text.as_bytes()) }),
            Act::AcceptAndPublish(subject) => {
                let id = hull_clock::time_ordered_id().to_string();
                session.publish(outgoing(&id, subject)).await.map_err(unavailable)?;
                None
            }
            Act::Accept | Act::AcceptAtGate | Act::CommitAndVanish | Act::CommitLate => None,
        };
        let finished = session.finish_event().await.map_err(unavailable)?;
        if matches!(act, Act::CommitAndVanish) {
            std::future::pending::<()>().await;
        }
        if matches!(act, Act::CommitLate) {
            return Err(Failure::DeadlineExceeded { component: orders(), after: PATIENCE });
        }
        Ok(match finished {
            Finished::Committed => EventOutcome::Handled(reply),
            Finished::AlreadyHandled => EventOutcome::AlreadyHandled,
        })
    }
}

fn unavailable(error: StorageError) -> Failure {
    Failure::Unavailable { component: orders(), message: error.to_string() }
}

#[async_trait]
impl Invoke for Door {
    async fn http(&self, _: Invocation, _: http::Request<Body>) -> Result<http::Response<Body>, Failure> {
        Err(Failure::Internal("nothing here speaks HTTP".into()))
    }

    async fn event(
        &self,
        invocation: Invocation,
        event: Event,
        attempt: u32,
        expects_reply: bool,
    ) -> Result<EventOutcome, Failure> {
        let session = self.database.session(SessionOptions {
            frame: Arc::clone(invocation.lineage.frame()),
            deadline: invocation.deadline,
            event: Some(EventIdentity::of(&event)),
            expects_reply,
        });
        let act = (self.script)(&event, attempt);
        self.calls.send_modify(|calls| calls.push(Call { id: event.key.id.clone(), attempt, invocation }));
        if matches!(act, Act::AcceptAtGate) {
            self.gate.acquire().await.expect("the gate is there").forget();
        }
        self.play(&session, &event, act).await
    }
}

/// One component, `orders` of `shop`, and what it runs on.
pub(crate) struct World {
    place: Place,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) database: Database,
    pub(crate) door: Arc<Door>,
    pub(crate) events: Events,
}

pub(crate) fn orders() -> ComponentId {
    ComponentId::new("shop", "orders")
}

impl World {
    /// A new one, in which nothing runs yet.
    pub(crate) async fn new(script: impl Fn(&Event, u32) -> Act + Send + Sync + 'static) -> Self {
        Self::open(Place::new(), |bus| bus, script).await
    }

    /// A new one whose bus is wrapped into something.
    pub(crate) async fn with_bus(
        wrap: impl FnOnce(Arc<dyn Bus>) -> Arc<dyn Bus>,
        script: impl Fn(&Event, u32) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::open(Place::new(), wrap, script).await
    }

    /// The host has ended without a word, and is started again with other guests.
    pub(crate) async fn crash(self, script: impl Fn(&Event, u32) -> Act + Send + Sync + 'static) -> Self {
        let Self { place, bus, database, door, events } = self;
        drop(events);
        bus.shutdown().await;
        database.close().await;
        drop((bus, database, door));
        Self::open(place, |bus| bus, script).await
    }

    async fn open(
        place: Place,
        wrap: impl FnOnce(Arc<dyn Bus>) -> Arc<dyn Bus>,
        script: impl Fn(&Event, u32) -> Act + Send + Sync + 'static,
    ) -> Self {
        let bus = wrap(place.open_bus().await);
        let database = open_database(place.path(), &orders()).await;
        let door = Arc::new(Door {
            database: database.clone(),
            script: Box::new(script),
            calls: watch::Sender::new(Vec::new()),
            gate: Semaphore::new(0),
        });
        let events = Events::new(Arc::clone(&bus), Arc::clone(&door) as _, RETAIN);
        Self { place, bus, database, door, events }
    }

    /// What `orders` is run with unless a test says otherwise.
    pub(crate) fn config(&self) -> ComponentConfig {
        ComponentConfig {
            id: orders(),
            subscriptions: vec![subscription("in.>", Delivery::default())],
            publishes: vec!["out.>".parse().expect("a pattern")],
            schemas: None,
            consumers: 8,
            time: Duration::from_secs(30),
            database: self.database.clone(),
            metrics: Metrics::new().component(&orders()),
        }
    }

    pub(crate) async fn start(&self) {
        self.events.start(self.config(), DRAIN).await;
    }

    pub(crate) async fn start_with(&self, delivery: Delivery) {
        let subscriptions = vec![subscription("in.>", delivery)];
        self.events.start(ComponentConfig { subscriptions, ..self.config() }, DRAIN).await;
    }

    pub(crate) async fn publish(&self, id: &str) {
        self.bus.publish("shop", &event(id, "in.a")).await.expect("published");
    }

    /// The events whose effects are in the database, sorted.
    pub(crate) async fn effects(&self) -> Vec<String> {
        let session = self.session();
        let rows = session.query("SELECT event FROM effects ORDER BY event".into(), Vec::new()).await.expect("reads");
        rows.rows.iter().map(|row| if let Value::Text(text) = &row[0] { text.clone() } else { String::new() }).collect()
    }

    /// A session as an HTTP request's.
    pub(crate) fn session(&self) -> Session {
        let frame = Arc::clone(Lineage::root(orders()).frame());
        let deadline = hull_clock::now() + PATIENCE;
        self.database.session(SessionOptions { frame, deadline, event: None, expects_reply: false })
    }

    pub(crate) fn counts(&self) -> Counts {
        self.events.counts(&orders()).expect("it runs")
    }

    /// Wait until the counts are so.
    pub(crate) async fn until(&self, reached: impl Fn(Counts) -> bool) -> Counts {
        let begun = hull_clock::now();
        loop {
            let counts = self.counts();
            if reached(counts) {
                return counts;
            }
            assert!(begun.elapsed() < PATIENCE, "still {counts:?}");
            a_moment().await;
        }
    }

    /// What the bus says once it knows all of it: a status does not wait for what is late.
    pub(crate) async fn bus_status(&self) -> BusStatus {
        let begun = hull_clock::now();
        loop {
            let status = self.bus.status().await;
            if status.problem.is_none() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{:?}", status.problem);
            a_moment().await;
        }
    }

    /// What `orders` is doing once that is so.
    pub(crate) async fn status_when(&self, reached: impl Fn(&ComponentEvents) -> bool) -> ComponentEvents {
        let begun = hull_clock::now();
        loop {
            let status = self.events.status().await.into_iter().find(|one| one.id == orders()).expect("it runs");
            if reached(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "still {status:?}");
            a_moment().await;
        }
    }

    /// Wait until the bus has nothing more for `orders`.
    pub(crate) async fn all_acknowledged(&self) {
        let begun = hull_clock::now();
        loop {
            let status = self.bus_status().await;
            let left: u64 = status.consumers.iter().map(|consumer| consumer.backlog + consumer.in_flight).sum();
            if left == 0 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{left} are left");
            a_moment().await;
        }
    }
}

async fn a_moment() {
    tokio::time::sleep_until((hull_clock::now() + Duration::from_millis(2)).into()).await;
}

/// A component's database with a table for effects.
pub(crate) async fn open_database(directory: &Path, component: &ComponentId) -> Database {
    let folder = directory.join(component.component());
    std::fs::create_dir_all(&folder).expect("makes a folder");
    let folder = ComponentDir::unowned(&folder).expect("a folder");
    let mut options = DatabaseOptions::new(component.clone());
    options.limits.statement_time = Duration::from_secs(30);
    options.limits.transaction_time = Duration::from_secs(30);
    let database = Database::new(&folder, options);
    let sql = "CREATE TABLE effects (event TEXT NOT NULL)".to_owned();
    database.migrate(&[Migration { number: 1, name: "effects".into(), sql }]).await.expect("migrates");
    database
}

pub(crate) fn subscription(pattern: &str, delivery: Delivery) -> Subscription {
    Subscription { pattern: pattern.parse().expect("a pattern"), delivery }
}

pub(crate) fn event(id: &str, subject: &str) -> Event {
    Event {
        key: EventKey { source: "/shop/payments".into(), id: id.into() },
        subject: subject.into(),
        time: hull_clock::rfc3339_now(),
        headers: Vec::new(),
        payload: Bytes::from(format!("payload of {id}")),
    }
}

pub(crate) fn outgoing(id: &str, subject: &str) -> OutgoingEvent {
    OutgoingEvent {
        id: id.into(),
        subject: subject.into(),
        time: hull_clock::rfc3339_now(),
        headers: vec![("x-correlation-id".into(), "c-1".into())],
        payload: Bytes::from(format!("payload of {id}")),
        deliver_at_ms: None,
    }
}

/// Short delays, so that tests are quick.
pub(crate) fn quick() -> Delivery {
    Delivery { backoff: vec![Duration::from_millis(10)], ..Delivery::default() }
}

/// Wait for what has to come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}
