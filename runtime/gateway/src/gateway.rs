//! The gateway as its owner sees it: bound to an address, given routes, run until told to stop.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderValue;
use hull_dispatch::Invoke;
use hull_telemetry::{GatewayMetrics, Metrics};
use tokio::net::{TcpListener, TcpSocket};

use crate::config::{GatewayConfig, GatewayError};
use crate::drain::Drain;
use crate::listener::accept_until;
use crate::routes::RouteTable;
use crate::target::{Site, Sites, Target};
use crate::trial::{Chooses, Served, Trial};

/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 4096;
/// How long to wait for those who have been told to stop at once.
const KILL_WAIT: Duration = Duration::from_secs(1);

/// A gateway that listens and does not accept yet.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    config: GatewayConfig,
    routes: GatewayRoutes,
    metrics: GatewayMetrics,
}

/// Changes what a gateway serves, while it serves.
#[derive(Clone)]
pub struct GatewayRoutes {
    served: Arc<ArcSwap<Served>>,
}

/// How a gateway came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections and streams that were still at work when the time was up.
    pub abandoned: usize,
}

/// What all connections share.
pub(crate) struct Serving {
    pub(crate) config: Arc<GatewayConfig>,
    pub(crate) served: Arc<ArcSwap<Served>>,
    pub(crate) invoke: Arc<dyn Invoke>,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) drain: Arc<Drain>,
    pub(crate) own_address: HeaderValue,
    /// What it calls itself in `Via`: unlike any other.
    pub(crate) own_name: String,
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("own_address", &self.own_address).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Listen. Needs a tokio runtime. Until it is run, connections wait in the system's queue.
    pub fn bind(config: GatewayConfig, metrics: &Metrics) -> Result<Self, GatewayError> {
        let address = config.listen;
        let refused = |source| GatewayError::Listen { address, source };
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(refused)?;
        // A restarted host must not wait for the old one's connections to be forgotten.
        socket.set_reuseaddr(true).map_err(refused)?;
        socket.bind(address).map_err(refused)?;
        let listener = socket.listen(BACKLOG).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let served = Arc::new(ArcSwap::from_pointee(Served { sites: RouteTable::empty(), trial: None }));
        Ok(Self { listener, address, config, routes: GatewayRoutes { served }, metrics: metrics.gateway() })
    }

    /// The address, with the port that the system chose if it was asked to.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The handle by which routes are changed. There are none at first.
    pub fn routes(&self) -> GatewayRoutes {
        self.routes.clone()
    }

    /// Serve until `shutdown` completes. Then accept nothing more, let running requests finish within the drain
    /// time, and cancel the rest. Dropping the future leaves connections to themselves.
    pub async fn run(self, invoke: Arc<dyn Invoke>, shutdown: impl Future<Output = ()>) -> Drained {
        let own_address = HeaderValue::try_from(self.address.to_string());
        let drain_time = self.config.drain;
        let serving = Arc::new(Serving {
            config: Arc::new(self.config),
            served: self.routes.served,
            invoke,
            metrics: self.metrics,
            drain: Arc::default(),
            own_address: own_address.unwrap_or_else(|_| HeaderValue::from_static("localhost")),
            own_name: format!("hull-{:016x}", hull_clock::random_u64()),
        });
        accept_until(self.listener, &serving, shutdown).await;
        serving.drain.start();
        if tokio::time::timeout(drain_time, serving.drain.empty()).await.is_ok() {
            return Drained { abandoned: 0 };
        }
        let abandoned = serving.drain.kill();
        tracing::warn!(abandoned, "requests were still running after the drain time");
        // A guest that does not yield keeps its thread; the process goes on without it.
        drop(tokio::time::timeout(KILL_WAIT, serving.drain.empty()).await);
        Drained { abandoned }
    }
}

impl GatewayRoutes {
    /// From now on, these routes and no others. A request keeps the route that it has found.
    pub fn set(&self, routes: RouteTable<Target>) {
        self.served.store(Arc::new(Served { sites: sites(routes), trial: None }));
    }

    /// The same, and other routes for those whom `chooses` sends there.
    pub fn set_trial(&self, routes: RouteTable<Target>, trial: RouteTable<Target>, chooses: Arc<dyn Chooses>) {
        let trial = Some(Trial { sites: sites(trial), chooses });
        self.served.store(Arc::new(Served { sites: sites(routes), trial }));
    }
}

impl fmt::Debug for GatewayRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayRoutes").finish_non_exhaustive()
    }
}

fn sites(routes: RouteTable<Target>) -> Sites {
    routes.map(|route, target| Arc::new(Site::new(route, target)))
}
