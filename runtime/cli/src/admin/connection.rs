//! One connection to the admin address, over TCP or a Unix socket, for one request.

use std::io;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hull_manifest::AdminAddress;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// What is sent: a text that is there, or files that are read as they go.
pub(crate) type RequestBody = BoxBody<Bytes, io::Error>;

const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);

/// Connect. `origin` says where the address comes from, for the case that nobody is there.
pub(super) async fn open(address: &AdminAddress, origin: &str) -> anyhow::Result<SendRequest<RequestBody>> {
    let opened = tokio::time::timeout(CONNECT_WAIT_MAX, async {
        match address {
            AdminAddress::Tcp(address) => start(TcpStream::connect(address).await?).await,
            AdminAddress::Socket(path) => start(UnixStream::connect(path).await?).await,
        }
    });
    let opened = opened.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    opened.map_err(|error| unreachable_host(error, address, origin))
}

async fn start<S>(stream: S) -> io::Result<SendRequest<RequestBody>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the answer, and its errors are those of the request.
    tokio::spawn(connection);
    Ok(sender)
}

fn unreachable_host(error: io::Error, address: &AdminAddress, origin: &str) -> anyhow::Error {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    if matches!(error.kind(), ConnectionRefused | NotFound) {
        return anyhow!("no host is running at {address} ({origin}): start one with `hull up` or `hull host`");
    }
    let failed = Err::<(), _>(error).with_context(|| format!("cannot reach the host at {address} ({origin})"));
    failed.err().unwrap_or_else(|| anyhow!("cannot reach the host at {address}"))
}
