//! What one component may reach, how much of it at once, and the client through which it does. Every component has
//! a client of its own: a pooled connection that one was granted must not serve another.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hull_dispatch::Invoke;
use hull_invocation::{CountRejected, Resource};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use crate::connector::CheckedConnector;
use crate::places::{Place, Places};
use crate::policy::AllowedHosts;

/// `limits.outbound` of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressLimits {
    /// Requests at once.
    pub concurrency: usize,
    /// Until the response's head is there.
    pub time: Duration,
    /// Of a request and of a response, in bytes.
    pub body_bytes_max: u64,
}

/// Connections that are kept open to one host without being used.
const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 16;
const IDLE_CONNECTION_TIME: Duration = Duration::from_mins(1);

/// Sends requests over connections that are kept.
pub(crate) type PooledClient = Client<HttpsConnector<CheckedConnector>, WasiBody>;

/// A client of its own for whoever may reach these.
pub(crate) fn pooled_client(allowed: &Arc<AllowedHosts>) -> PooledClient {
    let connector = HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(CheckedConnector::new(Arc::clone(allowed)));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST_MAX)
        .pool_idle_timeout(IDLE_CONNECTION_TIME)
        .build(connector)
}

/// One component's way out.
pub struct Egress {
    pub(crate) allowed: Arc<AllowedHosts>,
    pub(crate) limits: EgressLimits,
    /// Of all versions of the component.
    places: Arc<Places>,
    /// Made for the first request: few components have any.
    client: OnceLock<PooledClient>,
    pub(crate) door: Arc<dyn Invoke>,
    pub(crate) rejected: Arc<dyn CountRejected>,
}

impl Egress {
    /// `door` serves calls to other components; `rejected` counts what is refused for a bound.
    pub fn new(
        allowed: AllowedHosts,
        limits: EgressLimits,
        door: Arc<dyn Invoke>,
        rejected: Arc<dyn CountRejected>,
    ) -> Self {
        let allowed = Arc::new(allowed);
        let places = Arc::new(Places::new(limits.concurrency));
        Self { allowed, limits, places, client: OnceLock::new(), door, rejected }
    }

    pub(crate) fn client(&self) -> &PooledClient {
        self.client.get().unwrap_or_else(|| {
            // Whoever else sends its first request now makes another one instead of waiting for this one.
            let made = pooled_client(&self.allowed);
            self.client.get_or_init(|| made)
        })
    }

    /// With the places of the version before: what its requests take is not there for this one's.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        Self { places: Arc::clone(&before.places), ..self }
    }

    /// From now on there are as many places as this version may have.
    pub fn set_places(&self) {
        self.places.set(self.limits.concurrency);
    }

    /// Requests to the outside that are under way now, up to `limits.outbound.concurrency`.
    pub fn in_use(&self) -> u32 {
        u32::try_from(self.places.in_use()).unwrap_or(u32::MAX)
    }

    /// A place for one more request, until a time. When that is over nobody connects any more, even with a place that
    /// was given back at the same moment.
    pub(crate) async fn place(&self, now: Instant, until: Instant) -> Result<Place, WasiError> {
        if now >= until {
            return Err(WasiError::HttpResponseTimeout);
        }
        let place = tokio::time::timeout_at(until.into(), self.places.enter()).await;
        if hull_clock::now() >= until {
            self.rejected.rejected(Resource::OutboundConcurrency);
            return Err(WasiError::ConnectionLimitReached);
        }
        place.ok().flatten().ok_or(WasiError::ConnectionLimitReached)
    }
}
