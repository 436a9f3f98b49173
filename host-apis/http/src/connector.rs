//! Connecting: names are resolved first, and only then is it decided whether the address may be reached. A name
//! that was granted cannot lead where nobody meant it to.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::policy::{AllowedHosts, Refusal};

/// To one address; a name may have several.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Looking a name up may keep a thread for long that others need too: one client has so many at once, which is a version of
/// a component, or an upstream.
const LOOKUPS_MAX: usize = 4;
/// So many addresses of one name are tried.
const ADDRESSES_MAX: usize = 8;

/// Connects to what the policy allows.
#[derive(Clone)]
pub(crate) struct CheckedConnector {
    allowed: Arc<AllowedHosts>,
    lookups: Arc<Semaphore>,
}

impl CheckedConnector {
    pub(crate) fn new(allowed: Arc<AllowedHosts>) -> Self {
        Self { allowed, lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let lookup = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let looking = hull_threads::blocking(move || {
            // It goes on when nobody waits for it any more, and counts until its end.
            let _lookup = lookup;
            Ok((host.as_str(), port).to_socket_addrs()?.take(ADDRESSES_MAX).collect())
        });
        looking.await?
    }
}

/// The port that a URI means.
pub(crate) fn port_of(uri: &Uri) -> u16 {
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    uri.port_u16().unwrap_or(default)
}

/// The host that a URI names, without the brackets of an IPv6 address.
pub(crate) fn host_of(uri: &Uri) -> Option<&str> {
    let host = uri.host()?;
    Some(host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host))
}

impl Service<Uri> for CheckedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connect(&connector, &uri).await.map(TokioIo::new) })
    }
}

async fn connect(connector: &CheckedConnector, uri: &Uri) -> io::Result<TcpStream> {
    let host = host_of(uri).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no host"))?;
    let port = port_of(uri);
    let scheme = uri.scheme().cloned().unwrap_or(Scheme::HTTP);
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in connector.addresses(host, port).await? {
        if let Err(refusal) = connector.allowed.check_address(&scheme, host, port, address.ip()) {
            last = io::Error::new(io::ErrorKind::PermissionDenied, refusal);
            continue;
        }
        match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer")),
        }
    }
    Err(last)
}

/// The refusal inside an error of the client, if that is what it failed of.
pub(crate) fn refusal_in(error: &(dyn std::error::Error + 'static)) -> Option<Refusal> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Some(refusal.clone());
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use hull_invocation::ComponentId;

    use super::{CheckedConnector, LOOKUPS_MAX};
    use crate::policy::AllowedHosts;

    #[tokio::test]
    async fn a_component_has_so_many_lookups_at_once() {
        let allowed = AllowedHosts::new(ComponentId::new("shop", "orders"), Vec::new());
        let connector = CheckedConnector::new(Arc::new(allowed));
        let others = connector.lookups.acquire_many(LOOKUPS_MAX as u32).await.expect("it is open");
        let one_more = connector.addresses("localhost", 80);
        let mut one_more = std::pin::pin!(one_more);
        assert!(one_more.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(connector.addresses("::1", 80).await.is_ok(), "an address is no name");
        drop(others);
        assert!(one_more.await.is_ok_and(|addresses| !addresses.is_empty()));
        assert_eq!(connector.lookups.available_permits(), LOOKUPS_MAX);
    }
}
