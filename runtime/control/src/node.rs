//! The parts of a running host, and how they are joined.

pub(crate) mod bus;
pub(crate) mod crash_points;
pub(crate) mod observe;
pub(crate) mod resources;
pub(crate) mod stores;
#[cfg(test)]
pub(crate) mod test_node;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hull_bus::{Bus, BusError};
use hull_dispatch::{Dispatch, Invoke, RunOrder, RunQueue};
use hull_engine::{CompileBounds, Engine, EngineConfig};
use hull_events::Events;
use hull_gateway::GatewayRoutes;
use hull_invocation::ComponentId;
use hull_manifest::{Host, Name};
use hull_provenance::TrustedKeys;
use hull_storage::{Database, Sabotage, StateDir, StateDirError, StorageError};
use hull_telemetry::{Logs, Metrics};
use parking_lot::Mutex;
use tokio::sync::{RwLock, Semaphore, watch};

use crate::audit::{Audit, AuditError};
use crate::deploy::Deployed;
use crate::deploy::departed::Departed;
use crate::deploy::reserve::Totals;
use crate::flags::FlagBook;
use crate::node::bus::Ownership;
use crate::node::crash_points::CrashPoints;
use crate::node::resources::DatabaseWatch;
use crate::node::stores::Stores;
use crate::routes::public_routes::{PublicRoute, public_routes};

/// Instances of both engines at once, where `[host] memory` does not say otherwise.
const INSTANCES_MAX: u32 = 512;

/// Those who follow logs at once.
const LOG_FOLLOWERS_MAX: usize = 16;

/// What a host is started with.
pub struct NodeConfig {
    /// What the operator decides.
    pub host: Host,
    /// Where everything is kept; this process owns it.
    pub state_dir: StateDir,
    /// How guests that are not quick take turns.
    pub run_order: RunOrder,
    /// A promise to break, for tests that must notice it.
    pub sabotage: Option<Sabotage>,
    /// End the process as a crash would, so many steps into a deployment: for tests of what is there afterwards.
    pub crash_at: Option<u64>,
    /// The program that compiles components.
    pub compile_program: PathBuf,
    /// Where the gateway's routes are set.
    pub routes: GatewayRoutes,
    /// Where everything is counted.
    pub metrics: Arc<Metrics>,
    /// Where guests' words are kept.
    pub logs: Arc<Logs>,
}

/// How far a deployment is: components are compiled, where they are not known yet, before any of them is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preparing {
    /// So many are ready.
    pub ready: usize,
    /// Of so many.
    pub total: usize,
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The state directory cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The bus cannot be opened.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// What is done cannot be written down.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// What was deployed cannot be opened.
    #[error("{0}")]
    Revisions(String),
    /// A storage cannot be used.
    #[error("[storage] of hull.toml: {0}")]
    Storage(#[from] StorageError),
    /// The engine cannot be set up.
    #[error("the engine cannot be set up: {0}")]
    Engine(String),
}

/// A running host.
pub struct Node {
    pub(crate) state_dir: StateDir,
    pub(crate) engine: Engine,
    pub(crate) run_queue: RunQueue,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) events: Arc<Events>,
    pub(crate) routes: GatewayRoutes,
    pub(crate) metrics: Arc<Metrics>,
    /// Held only to look and to insert: a deployment keeps nobody waiting who looks.
    pub(crate) apps: RwLock<BTreeMap<String, Deployed>>,
    /// One deployment at a time.
    pub(crate) deploying: Arc<tokio::sync::Mutex<()>>,
    /// One handle per component, and server that it is on, for as long as the host runs.
    pub(crate) databases: Mutex<BTreeMap<(ComponentId, Option<Name>), (Database, Arc<DatabaseWatch>)>>,
    pub(crate) stores: Stores,
    /// Whose components are taken; none takes everybody's.
    pub(crate) keys: Option<Arc<TrustedKeys>>,
    /// What reservations must fit into.
    pub(crate) totals: Totals,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) crash_points: Arc<CrashPoints>,
    pub(crate) departed: Departed,
    pub(crate) audit: Audit,
    pub(crate) flags: FlagBook,
    /// Of the deployment that is going on, or of the last one.
    pub(crate) preparing: watch::Sender<Preparing>,
    logs: Arc<Logs>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) ownership: Ownership,
    stopping: watch::Sender<bool>,
    log_followers: Arc<Semaphore>,
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Node {
    /// Join the parts. Nothing is served before [`Node::deploy`].
    pub async fn start(config: NodeConfig) -> Result<Arc<Self>, NodeError> {
        let NodeConfig { host, state_dir, run_order, sabotage, crash_at, compile_program, routes, metrics, logs } =
            config;
        let (_, cache_dir) = state_dir.folder("cache")?;
        let (_, audit_dir) = state_dir.folder("audit")?;
        let audit = Audit::open(audit_dir)?;
        let (_, flags_dir) = state_dir.folder("flags")?;
        let io = |source| NodeError::StateDir(StateDirError::Io { path: flags_dir.clone(), source });
        let crash_points = Arc::new(CrashPoints::new(crash_at));
        let flags = FlagBook::open(flags_dir.clone(), Arc::clone(&crash_points)).map_err(io)?;
        let retain = host.bus.retain;
        let keys = TrustedKeys::of(host.signatures.as_ref()).map(Arc::new);
        let ownership = Ownership::of(&host, &state_dir)?;
        let stores = Stores::of(&host)?;
        let bus = crate::node::bus::open(&host.bus, &state_dir).await?;
        let threads = host.limits.threads.map_or_else(cores, |threads| threads.get() as usize);
        let totals = Totals::of(host.limits.memory, threads);
        let engine = Engine::new(EngineConfig {
            cache_dir,
            compile_program,
            compile_bounds: CompileBounds::default(),
            instances_max: INSTANCES_MAX,
            memory_bytes: totals.memory(),
            tick: host.limits.cpu_tick,
        })
        .map_err(|error| NodeError::Engine(format!("{error:#}")))?;
        let handle = tokio::runtime::Handle::current();
        handle.spawn(engine.give_back_at_rest());
        let run_queue =
            RunQueue::start(threads, run_order, &handle).map_err(|error| NodeError::Engine(error.to_string()))?;
        let dispatch = Arc::new(Dispatch::new(Arc::new(engine.clone())));
        let door: Arc<dyn Invoke> = Arc::clone(&dispatch) as Arc<dyn Invoke>;
        let events = Arc::new(Events::new(Arc::clone(&bus), door, retain));
        Ok(Arc::new(Self {
            state_dir,
            engine,
            run_queue,
            dispatch,
            events,
            routes,
            metrics,
            apps: RwLock::default(),
            deploying: Arc::default(),
            databases: Mutex::default(),
            stores,
            keys,
            totals,
            sabotage,
            crash_points,
            departed: Departed::default(),
            audit,
            flags,
            preparing: watch::Sender::default(),
            logs,
            bus,
            ownership,
            stopping: watch::Sender::new(false),
            log_followers: Arc::new(Semaphore::new(LOG_FOLLOWERS_MAX)),
        }))
    }

    /// The door to every guest.
    pub fn door(&self) -> Arc<dyn Invoke> {
        Arc::clone(&self.dispatch) as Arc<dyn Invoke>
    }

    /// The public routes of an app that serves.
    pub async fn public_routes(&self, app: &Name) -> Vec<PublicRoute> {
        let apps = self.apps.read().await;
        apps.get(app.as_str()).map(|deployed| public_routes(&deployed.app)).unwrap_or_default()
    }

    /// How far the deployment is that is going on.
    pub fn preparing(&self) -> watch::Receiver<Preparing> {
        self.preparing.subscribe()
    }

    /// Not ready from now on: whoever sends requests here is to send them elsewhere. What runs goes on.
    pub fn announce_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Stop handling events, let running handlers finish for `drain`, and close what is open. The gateway must have
    /// been stopped before. A deployment that is being switched on is awaited first.
    pub async fn shutdown(&self, drain: Duration) {
        self.announce_stop();
        let _deploying = self.deploying.lock().await;
        self.events.shutdown(drain).await;
        let running = self.invocations_running();
        if running > 0 {
            tracing::warn!(abandoned = running, "invocations were still running after the drain time");
        }
        let databases = std::mem::take(&mut *self.databases.lock());
        for (database, _) in databases.into_values() {
            database.close().await;
        }
        self.bus.shutdown().await;
    }

    /// Invocations that are running, of all components.
    pub fn invocations_running(&self) -> i64 {
        let databases = self.databases.lock();
        let ids: BTreeSet<_> = databases.keys().map(|(id, _)| id).collect();
        ids.into_iter().map(|id| self.metrics.component(id).invocations_in_flight()).sum()
    }

    /// Bring the counts of CPU time up to now: guests only add to their accounts.
    pub(crate) async fn note_cpu(&self) {
        for served in self.apps.read().await.values().flat_map(|deployed| &deployed.components) {
            self.metrics.component(&served.id).cpu_used(served.version.cpu_used());
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Tells when the host stops.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    pub(crate) fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.bus)
    }

    pub(crate) fn logs(&self) -> &Arc<Logs> {
        &self.logs
    }

    pub(crate) fn log_followers(&self) -> &Arc<Semaphore> {
        &self.log_followers
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}
