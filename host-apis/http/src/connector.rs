//! Connecting: names are resolved first, and only then is it decided whether the address may be reached. A name
//! that was granted cannot lead where nobody meant it to.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

use crate::policy::{AllowedHosts, Refusal};

/// To one address; a name may have several.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(5);
/// So many addresses of one name are tried.
const ADDRESSES_MAX: usize = 8;

/// Connects to what the policy allows.
#[derive(Clone)]
pub(crate) struct CheckedConnector {
    allowed: Arc<AllowedHosts>,
}

impl CheckedConnector {
    pub(crate) fn new(allowed: Arc<AllowedHosts>) -> Self {
        Self { allowed }
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
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move { connect(&allowed, &uri).await.map(TokioIo::new) })
    }
}

async fn connect(allowed: &AllowedHosts, uri: &Uri) -> io::Result<TcpStream> {
    let host = host_of(uri).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no host"))?;
    let port = port_of(uri);
    let scheme = uri.scheme().cloned().unwrap_or(Scheme::HTTP);
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.take(ADDRESSES_MAX).collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in addresses {
        if let Err(refusal) = allowed.check_address(&scheme, host, port, address.ip()) {
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
