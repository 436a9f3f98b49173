//! A PostgreSQL database that components have their data in: how it is reached, and its connections, of which there are
//! never more than the operator grants. Idle ones are kept for whoever had them and given up for whoever needs one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Config;

use super::failure;
use super::link::{ConnectError, Link};
use super::presence::Presence;
use super::relay::RelayLocks;
use super::stream::{Address, Wrap};
use crate::error::StorageError;

/// What the host keeps for itself of the connections: for relays, marks of failures, migrations and looks.
const HOST_CONNECTIONS_MAX: usize = 8;
/// Which part of the connections that is.
const HOST_PART: usize = 4;
/// After how long a connection is made anew: what piles up in it is bounded, and servers can be moved.
const AGE_MAX: Duration = Duration::from_mins(30);
/// After how long without use one is closed.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// The largest message from the server: for the host an event with its headers, for guests a row of a result.
const HOST_MESSAGE_BYTES_MAX: usize = 80 << 20;
const GUEST_MESSAGE_BYTES_MAX: usize = 20 << 20;
/// What the host's own connections are called in the server's list.
const APPLICATION: &str = "hull";
/// The same of the relays of a host that may not share the data.
pub(super) const APPLICATION_ALONE: &str = "hull, alone";

/// A PostgreSQL database, shared by the components that have their data in it. Nothing is connected before it is used.
#[derive(Clone)]
pub struct PostgresServer {
    pub(super) inner: Arc<Server>,
}

/// What clones of it share.
pub(super) struct Server {
    config: Config,
    address: Address,
    database: String,
    /// As many guests' and as many of the host's connections may be in use at once.
    guests: Arc<Semaphore>,
    hosts: Arc<Semaphore>,
    guests_max: usize,
    connections_max: usize,
    idle: Mutex<Idle>,
    /// Which components' relays are this host's.
    pub(super) relays: RelayLocks,
    /// What this host works with, for the others to see.
    pub(super) presence: Presence,
    /// Whether no other host may work with the same data.
    alone: AtomicBool,
}

#[derive(Default)]
struct Idle {
    /// The longest idle first.
    links: VecDeque<Resting>,
    in_use: usize,
    /// Somebody looks after those that nobody uses.
    watched: bool,
}

struct Resting {
    user: Arc<str>,
    link: Link,
    since: Instant,
}

/// Who a connection logs in as.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: Arc<str>,
    pub(super) config: Arc<Config>,
    pub(super) is_host: bool,
}

/// A connection in use; it goes back when this is dropped.
pub(super) struct Lease {
    link: Option<Link>,
    user: Arc<str>,
    server: Arc<Server>,
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

impl PostgresServer {
    /// With a URL as `postgres://user:password@host:port/database?sslmode=require`: a role that may make roles and
    /// schemas, and a database that is Hull's alone. The text of the error has no password in it.
    pub fn new(url: &str, connections: usize) -> Result<Self, StorageError> {
        let invalid = |what: &str| StorageError::Invalid(format!("the URL of the PostgreSQL database {what}"));
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| invalid(&error.to_string()))?;
        let host = config.get_hosts().first().ok_or_else(|| invalid("names no host"))?.clone();
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let user = config.get_user().ok_or_else(|| invalid("names no user"))?;
        let database = config.get_dbname().unwrap_or(user).to_owned();
        let connections_max = connections.max(2);
        let hosts_max = (connections_max / HOST_PART).clamp(1, HOST_CONNECTIONS_MAX);
        let guests_max = connections_max - hosts_max;
        let address = Address { host, port };
        // Whether TLS can be had at all is known now.
        Wrap::new(config.get_ssl_mode(), &address, 0).map_err(|error| invalid(&error))?;
        Ok(Self {
            inner: Arc::new(Server {
                config,
                address,
                database,
                guests: Arc::new(Semaphore::new(guests_max)),
                hosts: Arc::new(Semaphore::new(hosts_max)),
                guests_max,
                connections_max,
                idle: Mutex::default(),
                relays: RelayLocks::default(),
                presence: Presence::default(),
                alone: AtomicBool::new(false),
            }),
        })
    }

    /// This host's bus is its own, so that no other host may work with the same data: [`Database::claim`] sees to it.
    ///
    /// [`Database::claim`]: crate::Database::claim
    #[must_use]
    pub fn for_one_host(self) -> Self {
        self.inner.alone.store(true, Ordering::Relaxed);
        self
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresServer({:?}, {:?})", self.inner.address, self.inner.database)
    }
}

impl Server {
    /// The name of the database.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// See [`PostgresServer::for_one_host`].
    pub(super) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    /// How many connections one component may use at once: half of them, so that one that takes all it gets leaves its
    /// neighbours some.
    pub(super) fn component_max(&self) -> usize {
        (self.guests_max / 2).max(1)
    }

    /// The operator's own role.
    pub(super) fn host_login(&self) -> Login {
        let mut config = self.config.clone();
        config.application_name(APPLICATION);
        // The host's statements are bounded by what they do; a host that is gone does not hold on to anything.
        config.options("-c client_connection_check_interval=1s -c idle_in_transaction_session_timeout=60s");
        let user = config.get_user().unwrap_or_default().into();
        Login { user, config: Arc::new(config), is_host: true }
    }

    /// A connection for the relays, beside those that are shared: a transaction on it may be open for ever.
    pub(super) async fn relay_link(&self, told: impl Fn(&str) + Send + 'static) -> Result<Link, StorageError> {
        let mut login = self.host_login();
        let mut config = Config::clone(&login.config);
        config.options("-c client_connection_check_interval=1s -c idle_in_transaction_session_timeout=0");
        if self.is_alone() {
            config.application_name(APPLICATION_ALONE);
        }
        login.config = Arc::new(config);
        self.connect(&login, told).await
    }

    /// A component's role.
    pub(super) fn guest_login(&self, user: &str, password: &str, options: &str, application: &str) -> Login {
        let mut config = self.config.clone();
        config.user(user).password(password).dbname(&self.database).application_name(application).options(options);
        Login { user: user.into(), config: Arc::new(config), is_host: false }
    }

    /// A connection; waits for one to be free. `bound` is what else bounds the user.
    pub(super) async fn connection(
        self: &Arc<Self>,
        login: &Login,
        bound: Option<OwnedSemaphorePermit>,
    ) -> Result<Lease, StorageError> {
        let permits = if login.is_host { &self.hosts } else { &self.guests };
        let permit = Arc::clone(permits).acquire_owned().await.map_err(|_| closed())?;
        let mut lease = Lease {
            link: None,
            user: Arc::clone(&login.user),
            server: Arc::clone(self),
            _permits: [bound, Some(permit)],
        };
        let (kept, given_up) = self.take(&login.user);
        drop(given_up);
        lease.link = Some(match kept {
            Some(link) => link,
            None => self.connect(login, |_| {}).await?,
        });
        Ok(lease)
    }

    /// One that this user had, or room for another one.
    fn take(&self, user: &Arc<str>) -> (Option<Link>, Vec<Link>) {
        let mut idle = self.idle.lock();
        idle.in_use += 1;
        let mut given_up = Vec::new();
        // The last used first: the others can then be closed.
        while let Some(at) = idle.links.iter().rposition(|resting| resting.user == *user) {
            let Some(resting) = idle.links.remove(at) else { break };
            if resting.link.is_usable() && resting.link.born.elapsed() < AGE_MAX {
                return (Some(resting.link), given_up);
            }
            given_up.push(resting.link);
        }
        while idle.in_use + idle.links.len() > self.connections_max {
            let Some(oldest) = idle.links.pop_front() else { break };
            given_up.push(oldest.link);
        }
        (None, given_up)
    }

    async fn connect(&self, login: &Login, told: impl Fn(&str) + Send + 'static) -> Result<Link, StorageError> {
        let bytes_max = if login.is_host { HOST_MESSAGE_BYTES_MAX } else { GUEST_MESSAGE_BYTES_MAX };
        let wrap = Wrap::new(self.config.get_ssl_mode(), &self.address, bytes_max).map_err(StorageError::Other)?;
        Link::connect(&self.address, &wrap, &login.config, told).await.map_err(|error| match error {
            ConnectError::Refused(error) => failure::of_connecting(&error, &login.user),
            ConnectError::Unreachable(error) => {
                StorageError::Unreachable(format!("PostgreSQL cannot be reached at {:?}: {error}", self.address.host))
            }
        })
    }

    fn give_back(self: &Arc<Self>, user: &Arc<str>, link: Option<Link>) {
        let mut idle = self.idle.lock();
        idle.in_use = idle.in_use.saturating_sub(1);
        let Some(link) = link.filter(Link::is_usable) else { return };
        idle.links.push_back(Resting { user: Arc::clone(user), link, since: hull_clock::now() });
        let watched = std::mem::replace(&mut idle.watched, true);
        drop(idle);
        if !watched && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(watch(Arc::clone(self)));
        }
    }

    /// Close what one user has at rest.
    pub(super) fn close_idle(&self, user: &str) {
        let mut idle = self.idle.lock();
        let (closing, kept) = std::mem::take(&mut idle.links).into_iter().partition(|resting| *resting.user == *user);
        idle.links = kept;
        drop(idle);
        let closing: VecDeque<Resting> = closing;
        drop(closing);
    }
}

/// Close what nobody has used for a while, until there is nothing at rest.
async fn watch(server: Arc<Server>) {
    loop {
        tokio::time::sleep_until((hull_clock::now() + IDLE_MAX / 4).into()).await;
        let mut idle = server.idle.lock();
        let mut closing = Vec::new();
        while idle.links.front().is_some_and(|oldest| oldest.since.elapsed() >= IDLE_MAX) {
            closing.extend(idle.links.pop_front());
        }
        idle.watched = !idle.links.is_empty();
        let goes_on = idle.watched;
        drop(idle);
        drop(closing);
        if !goes_on {
            return;
        }
    }
}

impl Lease {
    pub(super) fn link(&self) -> Result<&Link, StorageError> {
        self.link.as_ref().ok_or_else(closed)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.server.give_back(&self.user, self.link.take());
    }
}

fn closed() -> StorageError {
    StorageError::Other("the connections to PostgreSQL are closed".to_owned())
}
