//! The connection: made once, kept for ever. Whoever waits for something over it learns from here that it broke, so
//! that nobody sits out a timeout for an answer that went down with the old connection.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use tokio::sync::watch;
use tracing::{info, warn};

use super::options::NatsOptions;
use crate::error::BusError;

/// How long one attempt may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// A server that does not answer two of these pings counts as lost.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How long the JetStream API may take to answer.
const API_TIME: Duration = Duration::from_secs(5);
/// The longest wait between two attempts to connect.
const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// How many commands wait to be written.
const COMMANDS_MAX: usize = 4096;

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Link {
    /// Counts connections; what was asked over an earlier one may never be answered.
    pub(super) epoch: u64,
    pub(super) is_up: bool,
}

/// Connect. A server that cannot be reached is tried again in the background, one that refuses is an error.
pub(super) async fn connect(options: &NatsOptions) -> Result<(Client, watch::Receiver<Link>), BusError> {
    let (sender, link) = watch::channel(Link::default());
    let sender = Arc::new(sender);
    let address = options.address();
    let first = prepare(options, &sender).await?.connect(address.as_str()).await;
    let client = match first {
        Ok(client) => client,
        Err(error) if is_passing(&error) => {
            warn!(address, %error, "NATS cannot be reached; trying again until it can");
            let again = prepare(options, &sender).await?.retry_on_initial_connect();
            again.connect(address.as_str()).await.map_err(|error| refused(&address, &error))?
        }
        Err(error) => return Err(refused(&address, &error)),
    };
    Ok((client, link))
}

/// Wait until the connection is up; none if it is not by then.
pub(super) async fn up(link: &mut watch::Receiver<Link>, until: Instant) -> Option<Link> {
    let waiting = link.wait_for(|link| link.is_up);
    let link = tokio::time::timeout_at(until.into(), waiting).await.ok()?.ok()?;
    Some(*link)
}

/// Until the connection that this state is of has ended.
pub(super) async fn broken(link: &mut watch::Receiver<Link>, since: Link) {
    // The sender lives as long as the client; without it there is no connection to wait for.
    let _ = link.wait_for(|link| !link.is_up || link.epoch != since.epoch).await;
}

/// Until the bus is closed.
pub(super) async fn until_closed(closed: &mut watch::Receiver<bool>) {
    // Its sender is gone only with the bus.
    let _ = closed.wait_for(|closed| *closed).await;
}

async fn prepare(options: &NatsOptions, link: &Arc<watch::Sender<Link>>) -> Result<ConnectOptions, BusError> {
    let (link, address) = (Arc::clone(link), options.address());
    let mut connect = ConnectOptions::new()
        .name("hull")
        .connection_timeout(CONNECT_TIME)
        .request_timeout(Some(API_TIME))
        .ping_interval(PING_EVERY)
        .client_capacity(COMMANDS_MAX)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            note(&link, &address, &event);
            std::future::ready(())
        });
    connect = match options.login() {
        Some((user, Some(password))) => connect.user_and_password(user, password),
        Some((token, None)) => connect.token(token),
        None => connect,
    };
    if let Some(file) = &options.credentials {
        let path = file.clone();
        let text = hull_threads::blocking(move || std::fs::read_to_string(path)).await.flatten();
        let text = text.map_err(|error| BusError::Configuration(unreadable(file, &error)))?;
        connect = connect.credentials(&text).map_err(|error| BusError::Configuration(unreadable(file, &error)))?;
    }
    if let Some(file) = &options.ca {
        connect = connect.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &options.identity {
        connect = connect.add_client_certificate(certificate.clone(), key.clone());
    }
    for file in [&options.ca].into_iter().flatten().chain(options.identity.iter().flat_map(|(one, two)| [one, two])) {
        // The client reads them when it connects, and says less of what is wrong with them.
        let path = file.clone();
        let looked = hull_threads::blocking(move || std::fs::metadata(path)).await.flatten();
        looked.map_err(|error| BusError::Configuration(unreadable(file, &error)))?;
    }
    Ok(connect)
}

fn unreadable(file: &std::path::Path, error: &std::io::Error) -> String {
    format!("{} of hull.toml's [bus] cannot be used: {error}", file.display())
}

fn note(link: &watch::Sender<Link>, address: &str, event: &Event) {
    match event {
        Event::Connected => {
            link.send_modify(|link| *link = Link { epoch: link.epoch + 1, is_up: true });
            info!(address, "connected to NATS");
        }
        Event::Disconnected => {
            link.send_modify(|link| link.is_up = false);
            warn!(address, "the connection to NATS is lost; events wait until it is back");
        }
        Event::Closed => link.send_modify(|link| link.is_up = false),
        Event::Draining => {}
        // Attempts to connect that fail, among others.
        other => tracing::debug!(address, event = %other, "NATS"),
    }
}

/// At once, then more slowly.
fn reconnect_delay(attempt: usize) -> Duration {
    match attempt.saturating_sub(1) {
        0 => Duration::ZERO,
        many => RECONNECT_MAX.min(Duration::from_millis(20 << many.min(6))),
    }
}

/// Whether it may come right without anybody changing a setting.
fn is_passing(error: &ConnectError) -> bool {
    match error.kind() {
        ConnectErrorKind::TimedOut | ConnectErrorKind::Dns => true,
        ConnectErrorKind::Io => !is_of_tls(error),
        _ => false,
    }
}

/// A handshake that fails comes as an I/O error with the reason inside.
fn is_of_tls(error: &ConnectError) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    io.and_then(std::io::Error::get_ref)
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<async_nats::rustls::Error>)
}

fn refused(address: &str, error: &ConnectError) -> BusError {
    BusError::Configuration(format!(
        "NATS at {address}: {error}; see `url`, `credentials`, `ca`, `cert` and `key` in hull.toml's [bus]"
    ))
}
