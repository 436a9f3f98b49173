//! The PostgreSQL backend: a schema and a role per component, so that the database itself keeps one from another's
//! tables, and connections that are shared within what the operator grants. Everything here runs in tasks of its own, so
//! that whoever stops waiting leaves nothing half-way: what ran is cancelled and undone.

mod ending;
mod events;
mod failure;
mod guard;
mod keyvalue;
mod link;
mod migrate;
mod names;
mod operation;
mod outbox;
mod presence;
mod provision;
mod purge;
mod quota;
mod relay;
mod scope;
mod server;
mod statement;
mod statistics;
mod stream;
mod transaction;
mod unit;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use hull_invocation::{ComponentId, CountRejected, Resource};
use parking_lot::RwLock;
use tokio::sync::{Notify, OnceCell, Semaphore, oneshot};

use ending::allowed;
pub(crate) use operation::{OnPostgres, Runs};
use provision::Opened;
pub use purge::Purge;
use quota::Quota;
use scope::Scope;
pub use server::PostgresServer;
use server::{Lease, Server};
use transaction::{Isolation, Transaction, reset};
pub(crate) use unit::UnitClient;

use crate::allowance::{Allowance, Cancel};
use crate::backend::Answer;
use crate::error::StorageError;
use crate::operation::Growth;
use crate::options::{DatabaseOptions, Sabotage, StorageLimits};
use crate::waiters::Waiters;

/// How often an operation that stands alone is run when others get there first each time.
const CONFLICTS_MAX: usize = 3;

/// See the module.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) shared: Arc<Shared>,
}

/// What clones of it share.
pub(crate) struct Shared {
    pub(crate) component: ComponentId,
    pub(crate) limits: RwLock<Arc<StorageLimits>>,
    pub(crate) waiters: Arc<Waiters>,
    /// Signalled after a commit that put something into the outbox.
    pub(crate) outbox_changed: Notify,
    pub(crate) sabotage: Option<Sabotage>,
    commits: AtomicU64,
    rejected: Option<Arc<dyn CountRejected>>,
    server: Arc<Server>,
    opened: OnceCell<Arc<Opened>>,
    /// How many of the connections it may use at once.
    connections: Arc<Semaphore>,
    connections_max: usize,
    waiting: AtomicUsize,
    closed: AtomicBool,
    quota: Quota,
}

impl Backend {
    pub(crate) fn new(server: &PostgresServer, options: DatabaseOptions) -> Self {
        let DatabaseOptions { component, limits, meter: _, rejected, sabotage } = options;
        let connections_max = limits.connections_max.clamp(1, server.inner.component_max());
        Self {
            shared: Arc::new(Shared {
                component,
                limits: RwLock::new(Arc::new(limits)),
                waiters: Arc::default(),
                outbox_changed: Notify::new(),
                sabotage,
                commits: AtomicU64::new(0),
                rejected,
                server: Arc::clone(&server.inner),
                opened: OnceCell::new(),
                connections: Arc::new(Semaphore::new(connections_max)),
                connections_max,
                waiting: AtomicUsize::new(0),
                closed: AtomicBool::new(false),
                quota: Quota::default(),
            }),
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// Whether it has been used.
    pub(crate) fn is_open(&self) -> bool {
        self.shared.opened.initialized()
    }

    /// See [`crate::Database::claim`].
    pub(crate) async fn claim(&self) -> Result<(), StorageError> {
        relay::claim(&self.shared).await
    }

    /// Run an operation by itself; one that writes is committed.
    pub(crate) async fn run<O: OnPostgres>(
        &self,
        operation: O,
        deadline: Option<Instant>,
    ) -> Result<O::Output, StorageError> {
        let cancel = Cancel::default();
        let armed = cancel.on_drop();
        let (reply, answer) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let result = shared.run_alone(operation, deadline, cancel).await;
            // Whoever does not wait any more does not need it.
            let _ = reply.send(result);
        });
        let answer = answer.await;
        armed.disarm();
        answer.unwrap_or_else(|_| {
            Err(StorageError::Other(format!("the database of {} failed inside the host", self.shared.component)))
        })
    }

    /// Begin a unit of work with its first operation.
    pub(crate) fn begin<O: OnPostgres>(
        &self,
        operation: O,
        deadline: Instant,
        of_event: bool,
    ) -> Result<(UnitClient, Answer<O>), StorageError> {
        self.shared.check_open()?;
        let unit = unit::begin(&self.shared, of_event);
        let answer = unit.run(operation, deadline)?;
        Ok((unit, answer))
    }

    /// Take no more work, wait for what runs, and close the connections.
    pub(crate) async fn close(&self) {
        let shared = &self.shared;
        shared.closed.store(true, Ordering::Release);
        let _all = shared.connections.acquire_many(shared.connections_max as u32).await;
        if let Some(opened) = shared.opened.get() {
            shared.server.close_idle(&opened.login.user);
        }
        shared.server.relays.give_up().await;
    }
}

impl Shared {
    /// Something was refused because that resource is at its bound.
    fn reject(&self, resource: Resource) {
        if let Some(rejected) = &self.rejected {
            rejected.rejected(resource);
        }
    }

    fn check_open(&self) -> Result<(), StorageError> {
        if self.closed.load(Ordering::Acquire) { Err(StorageError::Closed(self.component.to_string())) } else { Ok(()) }
    }

    /// What was made ready for the component, made by the first who asks.
    async fn opened(self: &Arc<Self>) -> Result<Arc<Opened>, StorageError> {
        let open = || async { provision::open(&self.server, &self.component).await.map(Arc::new) };
        self.opened.get_or_try_init(open).await.map(Arc::clone)
    }

    /// A connection that logs in as the component. Whoever waits longer than until the deadline has done nothing.
    async fn guest(self: &Arc<Self>, deadline: Option<Instant>) -> Result<(Lease, Arc<Opened>), StorageError> {
        self.check_open()?;
        let waiting = Waiting::new(self)?;
        let getting = async {
            let permit = Arc::clone(&self.connections).acquire_owned().await;
            let permit = permit.map_err(|_| StorageError::Closed(self.component.to_string()))?;
            let opened = self.opened().await?;
            let lease = self.server.connection(&opened.login, Some(permit)).await?;
            Ok((lease, opened))
        };
        let got = match deadline {
            None => getting.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), getting)
                .await
                .unwrap_or_else(|_| Err(StorageError::deadline())),
        };
        drop(waiting);
        got
    }

    async fn run_alone<O: OnPostgres>(
        self: Arc<Self>,
        operation: O,
        deadline: Option<Instant>,
        cancel: Cancel,
    ) -> Result<O::Output, StorageError> {
        let this = &self;
        let getting = async move {
            match O::RUNS {
                Runs::AsGuest => this.guest(deadline).await,
                Runs::AsHost => {
                    this.check_open()?;
                    let opened = this.opened().await?;
                    Ok((this.server.connection(&this.server.host_login(), None).await?, opened))
                }
            }
        };
        let (lease, opened) = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(StorageError::Timeout("nobody waits for it".to_owned())),
            got = getting => got?,
        };
        let link = lease.link()?;
        let mut scope = Scope::new(&self, &opened, link, false);
        let limits = Arc::clone(&scope.limits);
        let now = hull_clock::now();
        let allowance = match (deadline, operation.long_time(&limits)) {
            (Some(deadline), _) => Allowance::statement(now, limits.statement_time, deadline, &cancel),
            (None, Some(limit)) => Allowance::migration(now, limit, &cancel),
            (None, None) => Allowance::host(now, &cancel),
        };
        let rejected = self.rejected.as_ref();
        let mut result = Err(StorageError::Conflict);
        // Alone, it can be run again by whoever is told of a conflict, and so by us.
        for _ in 0..CONFLICTS_MAX {
            result = run_once(&mut scope, &operation, &allowance, rejected).await;
            if !matches!(result, Err(StorageError::Conflict)) || !link.is_usable() {
                break;
            }
        }
        reset(&scope);
        result
    }
}

/// Run an operation, in a transaction of its own if it writes.
async fn run_once<O: OnPostgres>(
    scope: &mut Scope<'_>,
    operation: &O,
    allowance: &Allowance,
    rejected: Option<&Arc<dyn CountRejected>>,
) -> Result<O::Output, StorageError> {
    let link = scope.link;
    if operation.growth() == Growth::None {
        return allowed(allowance, link, rejected, operation.on_postgres(scope)).await;
    }
    let mut transaction = Transaction::begin(scope, Isolation::ReadCommitted);
    match allowed(allowance, link, rejected, transaction.run(scope, operation, true)).await {
        Ok(output) => transaction.commit(scope, None).await.map(|_| output),
        Err(error) => {
            link.send("ROLLBACK");
            Err(error)
        }
    }
}

/// One who waits for a connection.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Result<Self, StorageError> {
        let limit = shared.limits.read().queue_length_max;
        if shared.waiting.fetch_add(1, Ordering::Relaxed) >= limit {
            shared.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(StorageError::Overloaded { component: shared.component.to_string(), waiting: limit });
        }
        Ok(Self(shared))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
