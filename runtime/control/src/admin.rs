//! The admin interface: health, metrics and everything below `/v1`, on an address of its own.

mod answer;
mod audit;
mod components;
mod connections;
mod dead_letters;
mod events;
mod flags;
mod health;
mod invoke;
mod logs;
mod openapi;
mod origins;
mod revisions;
mod rollout;
mod route;
mod tail;
mod token;
mod token_list;
mod tokens;

pub use tokens::{Role, Tokens};

pub(crate) use components::bulkhead;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hull_manifest::AdminAddress;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use crate::deployments::Deployments;
use crate::node::Node;
use connections::{Connections, Requests};
use route::answer;

/// Connections at once.
const CONNECTIONS_MAX: usize = 128;
/// Until a request's head is there.
const HEADER_TIME: Duration = Duration::from_secs(3);
/// After a failed accept: the machine may be short of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where the admin interface listens, and who may use it.
pub struct AdminConfig {
    /// Where.
    pub listen: AdminAddress,
    /// What `/v1` asks for; a socket's own permissions guard it instead.
    pub tokens: Tokens,
}

/// Why the admin interface cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("the admin interface cannot listen on {address}: {source}; change [admin] listen in hull.toml or --admin")]
    Listen {
        /// Which address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The token file cannot be made or read.
    #[error("the admin token at {path}: {source}")]
    Token {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The admin interface, listening.
pub struct AdminServer {
    listener: Listener,
    tokens: Option<Tokens>,
}

/// What is looked at and changed here.
struct AdminHost {
    node: Arc<Node>,
    deployments: Option<Arc<Deployments>>,
    tokens: Option<Tokens>,
}

enum Listener {
    Tcp(TcpListener),
    Socket(UnixListener, RemoveOnDrop),
}

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl AdminServer {
    /// Listen. Loopback and a token are the default; another address is the operator's decision.
    pub async fn bind(config: AdminConfig) -> Result<Self, AdminError> {
        let address = config.listen.to_string();
        let failed = |source| AdminError::Listen { address, source };
        match config.listen {
            AdminAddress::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                Ok(Self { listener: Listener::Tcp(listener), tokens: Some(config.tokens) })
            }
            AdminAddress::Socket(path) => {
                let path = PathBuf::from(path);
                let listener = bind_socket(&path).map_err(failed)?;
                Ok(Self { listener: Listener::Socket(listener, RemoveOnDrop(path)), tokens: None })
            }
        }
    }

    /// The address as commands need it: with the port that the system chose, or the socket's path.
    pub fn address(&self) -> String {
        match &self.listener {
            Listener::Tcp(listener) => {
                let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
                listener.local_addr().unwrap_or(unknown).to_string()
            }
            Listener::Socket(_, path) => path.0.display().to_string(),
        }
    }

    /// Serve until the future is dropped. Only a daemon takes deployments.
    pub async fn run(self, node: Arc<Node>, deployments: Option<Arc<Deployments>>) {
        let host = Arc::new(AdminHost { node, deployments, tokens: self.tokens });
        let mut connections = Connections::new(CONNECTIONS_MAX);
        loop {
            let accepted = match &self.listener {
                Listener::Tcp(listener) => {
                    let accepted = listener.accept().await;
                    accepted.map(|(stream, from)| (Box::new(stream) as Box<dyn Stream>, from.to_string()))
                }
                Listener::Socket(listener, _) => {
                    let accepted = listener.accept().await;
                    accepted.map(|(stream, _)| (Box::new(stream) as Box<dyn Stream>, "socket".to_owned()))
                }
            };
            match accepted {
                Ok((stream, from)) => {
                    let host = Arc::clone(&host);
                    connections.serve(|requests| serve(stream, host, from.into(), requests)).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin interface could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn serve(stream: Box<dyn Stream>, host: Arc<AdminHost>, from: Arc<str>, requests: Requests) {
    let service = service_fn(move |request| {
        let (host, from, request_begun) = (Arc::clone(&host), Arc::clone(&from), requests.begin());
        async move {
            let answered = answer(&host, request, from).await;
            answered.map(|response| response.map(|body| request_begun.until_sent(body)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an admin connection ended early");
    }
}

/// A socket that only this user can open, from its first moment: it is made in a folder that is only this user's and
/// then moved. One that nobody listens on any more is replaced.
fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
    }
    if std::fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Short: a socket's path has about 100 bytes.
    let own = parent.join(format!(".{:x}", hull_clock::random_u64() >> 32));
    std::fs::DirBuilder::new().mode(0o700).create(&own)?;
    let made = own.join("s");
    let bound = UnixListener::bind(&made).and_then(|listener| {
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&made, path)?;
        Ok(listener)
    });
    let _ = std::fs::remove_file(&made);
    let _ = std::fs::remove_dir(&own);
    bound
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::bind_socket;

    #[tokio::test]
    async fn a_socket_is_private_and_a_dead_one_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.sock");
        drop(bind_socket(&path).expect("bound"));
        let listener = bind_socket(&path).expect("a dead one is replaced");
        assert!(bind_socket(&path).is_err(), "one that listens is not");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(tokio::net::UnixStream::connect(&path).await.is_ok());
        drop(listener);
        let others: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
        assert_eq!(others.len(), 1, "{others:?}");
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "text").expect("written");
        assert!(bind_socket(&path).is_err(), "a file is not replaced");
    }
}
