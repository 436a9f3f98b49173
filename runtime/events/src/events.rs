//! Everything about events of the components that run here: started, looked at, stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hull_bus::{Bus, ConsumerStatus};
use hull_dispatch::Invoke;
use hull_invocation::ComponentId;
use hull_storage::{DeadLetterFilter, StoredDeadLetter};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::config::ComponentConfig;
use crate::counts::{Counters, Counts};
use crate::dead_letters::{self, ReplaySummary, Replayed};
use crate::error::EventsError;
use crate::handler::Handler;
use crate::in_flight::InFlight;
use crate::phase::{Phase, Phases};
use crate::relay::Relay;
use crate::source::Source;
use crate::{prune, worker};

/// How long a look at everything may wait for one component's database.
const STATISTICS_TIME: Duration = Duration::from_millis(200);
/// How long the tasks of a component have to end after the drain bound has passed.
const GRACE: Duration = Duration::from_secs(6);

/// The subscriptions and relays of the components that run here.
pub struct Events {
    bus: Arc<dyn Bus>,
    door: Arc<dyn Invoke>,
    retain: Duration,
    components: Mutex<BTreeMap<ComponentId, Arc<Place>>>,
}

/// One component's events at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentEvents {
    /// Which component.
    pub id: ComponentId,
    /// How its deliveries ended since it was started.
    pub counts: Counts,
    /// Its durable consumers, as the bus sees them.
    pub consumers: Vec<ConsumerStatus>,
    /// Events that the bus does not hold yet; `None` while the database cannot say.
    pub outbox: Option<u64>,
    /// Its dead letters; `None` while the database cannot say.
    pub dead_letters: Option<u64>,
}

/// A component's place, kept once it was started.
#[derive(Default)]
struct Place {
    /// Held while it starts and stops, so that a component has one worker and one relay; and that one which drains
    /// for long keeps only itself waiting.
    changing: tokio::sync::Mutex<()>,
    running: Mutex<Option<Arc<Running>>>,
}

struct Running {
    handler: Arc<Handler>,
    deliveries: Task,
    relay: Task,
}

/// A task, and how it is told to stop.
struct Task {
    phase: watch::Sender<Phase>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Events {
    /// Nothing runs yet. `retain` is how long the bus keeps events at least.
    pub fn new(bus: Arc<dyn Bus>, door: Arc<dyn Invoke>, retain: Duration) -> Self {
        Self { bus, door, retain, components: Mutex::default() }
    }

    /// Handle a component's events and relay what it publishes. When this returns its consumers exist, so that they
    /// miss nothing, except where the bus could not be reached: those are made as soon as it can. A component that
    /// runs already gets the new configuration, after its running handlers have ended or `drain` has passed. Consumers
    /// of patterns that the configuration lacks are removed with what waits for them.
    pub async fn start(&self, config: ComponentConfig, drain: Duration) {
        let place = Arc::clone(self.components.lock().entry(config.id.clone()).or_default());
        let _changing = place.changing.lock().await;
        let counters = place.stop(hull_clock::now() + drain).await.unwrap_or_default();
        let handler = Arc::new(Handler {
            door: Arc::clone(&self.door),
            ledger: config.database.ledger(),
            in_flight: Arc::new(InFlight::default()),
            counters: Arc::clone(&counters),
            config: config.clone(),
        });
        let mut sources = Vec::with_capacity(config.subscriptions.len() * 2);
        for subscription in &config.subscriptions {
            let subscription = Arc::new(subscription.clone());
            let (bus, id) = (&self.bus, &config.id);
            let mut events = Source::events(Arc::clone(bus), id.clone(), Arc::clone(&subscription));
            let mut requests = Source::requests(Arc::clone(bus), id.clone(), subscription);
            // A failure has been logged, and the worker goes on trying.
            let _ = events.open().await;
            let _ = requests.open().await;
            sources.extend([events, requests]);
        }
        self.forget_old_patterns(&config).await;
        let (working, bus, retain) = (Arc::clone(&handler), Arc::clone(&self.bus), self.retain);
        let deliveries = Task::spawn(move |phases| async move {
            let pruning = prune::run(working.config.id.clone(), working.ledger.clone(), bus, retain, phases.clone());
            tokio::join!(worker::run(Arc::clone(&working), sources, phases), pruning);
        });
        let outbox = config.database.outbox();
        let relay = Relay { config, bus: Arc::clone(&self.bus), outbox, counters };
        let relay = Task::spawn(move |phases| relay.run(phases));
        *place.running.lock() = Some(Arc::new(Running { handler, deliveries, relay }));
    }

    /// Remove the consumers of patterns that the component had before and has not now: nobody will ever acknowledge
    /// their events, and the stream would keep all events after those.
    async fn forget_old_patterns(&self, config: &ComponentConfig) {
        let id = &config.id;
        let subscribed = |pattern: &str| config.subscriptions.iter().any(|one| one.pattern.as_str() == pattern);
        for consumer in self.bus.status().await.consumers {
            let own = consumer.app == id.app() && consumer.component == id.component();
            if !own || subscribed(&consumer.pattern) {
                continue;
            }
            let Ok(pattern) = consumer.pattern.parse() else { continue };
            let backlog = consumer.backlog + consumer.in_flight;
            match self.bus.remove_consumer(id.app(), id.component(), &pattern).await {
                Ok(()) => info!(component = %id, %pattern, backlog, "removed a consumer that has no trigger any more"),
                Err(error) => warn!(component = %id, %pattern, %error, "a consumer without a trigger stays"),
            }
        }
    }

    /// Handle no more of a component's events; what it publishes is relayed until [`Events::stop`]. Handlers that run may
    /// end within `drain`.
    pub async fn quiet(&self, component: &ComponentId, drain: Duration) {
        let place = self.components.lock().get(component).cloned();
        if let Some(place) = place {
            let _changing = place.changing.lock().await;
            if let Some(running) = place.running() {
                running.deliveries.stop(hull_clock::now() + drain).await;
            }
        }
    }

    /// Stop handling a component's events and relaying what it publishes: handlers that run may end within `drain`,
    /// others are given up and their events go back to the bus. Its consumers stay, and keep its events for it.
    pub async fn stop(&self, component: &ComponentId, drain: Duration) {
        let place = self.components.lock().get(component).cloned();
        if let Some(place) = place {
            let _changing = place.changing.lock().await;
            place.stop(hull_clock::now() + drain).await;
        }
    }

    /// Stop all. Nothing is fetched any more from the first moment; each relay goes on until its component's handlers
    /// have ended and their events are out.
    pub async fn shutdown(&self, drain: Duration) {
        let deadline = hull_clock::now() + drain;
        let places: Vec<_> = self.components.lock().values().cloned().collect();
        let stopping = places.iter().map(|place| async {
            let _changing = place.changing.lock().await;
            place.stop(deadline).await;
        });
        futures::future::join_all(stopping).await;
        info!(components = places.len(), "events are no longer handled");
    }

    /// What the events of every running component are doing.
    pub async fn status(&self) -> Vec<ComponentEvents> {
        let bus = self.bus.status().await;
        let places: Vec<_> = self.components.lock().iter().map(|(id, one)| (id.clone(), Arc::clone(one))).collect();
        let bus = &bus;
        let looking = places.into_iter().map(async |(id, place)| {
            let running = place.running()?;
            let own = |consumer: &&ConsumerStatus| consumer.app == id.app() && consumer.component == id.component();
            let consumers = bus.consumers.iter().filter(own).cloned().collect();
            let database = &running.handler.config.database;
            // It waits behind the guests' own statements.
            let statistics = match database.exists() {
                true => tokio::time::timeout(STATISTICS_TIME, database.statistics()).await.ok(),
                false => Some(Ok(hull_storage::Statistics::default())),
            };
            let statistics =
                statistics.and_then(|told| told.map_err(|error| warn!(component = %id, %error, "no statistics")).ok());
            Some(ComponentEvents {
                counts: running.handler.counters.read(),
                consumers,
                outbox: statistics.map(|statistics| statistics.outbox_rows),
                dead_letters: statistics.map(|statistics| statistics.dead_letters),
                id,
            })
        });
        futures::future::join_all(looking).await.into_iter().flatten().collect()
    }

    /// How a component's deliveries ended, without asking bus or database.
    pub fn counts(&self, component: &ComponentId) -> Option<Counts> {
        self.handler(component).ok().map(|handler| handler.counters.read())
    }

    /// A component's dead letters with a number above `after`, oldest first, at most `limit`.
    pub async fn dead_letters(
        &self,
        component: &ComponentId,
        filter: &DeadLetterFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>, EventsError> {
        dead_letters::list(&*self.handler(component)?, filter, after, limit).await
    }

    /// One dead letter.
    pub async fn dead_letter(&self, component: &ComponentId, letter: i64) -> Result<StoredDeadLetter, EventsError> {
        dead_letters::show(&*self.handler(component)?, letter).await
    }

    /// Try a dead letter again, for that component alone. May be repeated, and cut short, without harm.
    pub async fn replay(&self, component: &ComponentId, letter: i64) -> Result<Replayed, EventsError> {
        dead_letters::replay(&*self.handler(component)?, &*self.bus, letter).await
    }

    /// Try all dead letters again that the filter names.
    pub async fn replay_all(
        &self,
        component: &ComponentId,
        filter: &DeadLetterFilter,
    ) -> Result<ReplaySummary, EventsError> {
        dead_letters::replay_all(&*self.handler(component)?, &*self.bus, filter).await
    }

    /// Delete a dead letter.
    pub async fn purge(&self, component: &ComponentId, letter: i64) -> Result<(), EventsError> {
        dead_letters::purge(&*self.handler(component)?, letter).await
    }

    /// Delete all dead letters that the filter names; how many.
    pub async fn purge_all(&self, component: &ComponentId, filter: &DeadLetterFilter) -> Result<usize, EventsError> {
        dead_letters::purge_all(&*self.handler(component)?, filter).await
    }

    fn handler(&self, component: &ComponentId) -> Result<Arc<Handler>, EventsError> {
        let place = self.components.lock().get(component).cloned();
        let place = place.ok_or_else(|| EventsError::UnknownComponent(component.clone()))?;
        let running = place.running().ok_or_else(|| EventsError::Changing(component.clone()))?;
        Ok(Arc::clone(&running.handler))
    }
}

impl Place {
    fn running(&self) -> Option<Arc<Running>> {
        self.running.lock().clone()
    }

    /// Stop what runs, if anything does; what it has counted.
    async fn stop(&self, deadline: std::time::Instant) -> Option<Arc<Counters>> {
        let running = self.running()?;
        running.deliveries.stop(deadline).await;
        running.relay.stop(deadline).await;
        *self.running.lock() = None;
        Some(Arc::clone(&running.handler.counters))
    }
}

impl Task {
    fn spawn<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(Phases) -> F) -> Self {
        let (phase, phases) = Phases::new();
        Self { phase, task: Mutex::new(Some(tokio::spawn(run(phases)))) }
    }

    /// Let it finish until `deadline`, then have it give up, then drop it.
    async fn stop(&self, deadline: std::time::Instant) {
        self.phase.send_replace(Phase::Draining);
        let Some(mut task) = self.task.lock().take() else { return };
        if let Ok(ended) = tokio::time::timeout_at(deadline.into(), &mut task).await {
            return report(ended);
        }
        self.phase.send_replace(Phase::Cancelled);
        match tokio::time::timeout_at((hull_clock::now() + GRACE).into(), &mut task).await {
            Ok(ended) => report(ended),
            Err(_) => task.abort(),
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(failure) = ended {
        error!(%failure, "a task that handles events ended badly");
    }
}
