//! One request over one connection: with TLS, or on this machine. Every wait has a bound.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use hull_manifest::is_loopback;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use url::{Host, Position, Url};

use crate::failed::Why;

/// Until a connection is there, encrypted where it is to be.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// So many addresses of one name are tried.
const ADDRESSES_MAX: usize = 8;
/// Until the head of an answer is there.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// The head of an answer, in headers and in bytes.
const HEADERS_MAX: usize = 100;
const HEAD_BYTES_MAX: usize = 64 << 10;
const AGENT: &str = concat!("hull/", env!("CARGO_PKG_VERSION"));

/// Makes requests.
#[derive(Default)]
pub(crate) struct Transport {
    /// Reading the system's certificates takes a while, and what is on this machine needs none.
    tls: OnceLock<Result<Arc<rustls::ClientConfig>, String>>,
}

impl Transport {
    /// GET it. The answer may be any.
    pub(crate) async fn get(
        &self,
        url: &Url,
        accept: Option<&HeaderValue>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, Why> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let unreachable = |why: String| Why::Unreachable { host: host.clone(), why };
        let mut request = Request::get(&url[Position::BeforePath..Position::AfterQuery])
            .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
            .header(USER_AGENT, AGENT);
        for (name, value) in [(ACCEPT, accept), (AUTHORIZATION, authorization)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| unreachable(error.to_string()))?;
        let opened = tokio::time::timeout(CONNECT_TIME, self.open(url)).await;
        let opened = opened.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer")));
        let mut sender = opened.map_err(|error| unreachable(error.to_string()))?;
        let answer = tokio::time::timeout(HEAD_TIME, sender.send_request(request)).await;
        let silent = |_| Why::BrokeOff(format!("{host} gave no answer within {HEAD_TIME:?}"));
        answer.map_err(silent)?.map_err(|error| Why::BrokeOff(format!("{host} gave no answer: {error}")))
    }

    async fn open(&self, url: &Url) -> io::Result<SendRequest<Empty<Bytes>>> {
        let stream = connect(url).await?;
        if url.scheme() == "http" {
            return handshake(stream).await;
        }
        let config = self.tls.get_or_init(tls_config).clone().map_err(io::Error::other)?;
        let name = match url.host() {
            Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
            Some(Host::Ipv4(address)) => ServerName::from(std::net::IpAddr::from(address)),
            Some(Host::Ipv6(address)) => ServerName::from(std::net::IpAddr::from(address)),
            None => return Err(io::Error::other("it has no name")),
        };
        handshake(TlsConnector::from(config).connect(name, stream).await?).await
    }
}

/// The system's authorities, or those in the file that `SSL_CERT_FILE` names.
fn tls_config() -> Result<Arc<rustls::ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(
            "this system has no certificates of authorities; install them (`ca-certificates`), or name a file with \
                    SSL_CERT_FILE"
                .to_owned(),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

async fn connect(url: &Url) -> io::Result<TcpStream> {
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => lookup_host((name, port)).await?.take(ADDRESSES_MAX).collect(),
        None => Vec::new(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for address in addresses {
        if url.scheme() != "https" && !(is_loopback(url) && address.ip().is_loopback()) {
            last = io::Error::new(io::ErrorKind::PermissionDenied, "without TLS only this machine is spoken to");
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn handshake<S>(stream: S) -> io::Result<SendRequest<Empty<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new();
    builder.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the answer, and its errors are those of the request.
    tokio::spawn(connection);
    Ok(sender)
}
