//! One client connection: which protocol it speaks, then requests until one side has enough.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use arc_swap::Guard;
use http::HeaderValue;
use hull_dispatch::Invoke;
use hull_telemetry::GatewayMetrics;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::config::{AccessLog, GatewayConfig};
use crate::drain::{Drain, Member};
use crate::gateway::Serving;
use crate::guard::{Guarded, H2_PREFACE};
use crate::handler::handle;
use crate::trial::Served;
use crate::watch::Watched;

/// Requests that an HTTP/2 client may have open at once on one connection.
const STREAMS_MAX: u32 = 128;
/// What an HTTP/2 client may send before anybody reads it, per stream and per connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What is kept per HTTP/2 stream for a client that reads slowly.
const STREAM_SEND_BUFFER_BYTES: usize = 128 * 1024;
/// What one HTTP/1 connection keeps for reading and for writing, at most.
const BUFFER_BYTES_MAX: usize = 256 * 1024;

/// What the requests of a connection share.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    serving: Arc<Serving>,
    peer: SocketAddr,
    client_address: HeaderValue,
    answering: AtomicUsize,
    answers_started: AtomicUsize,
}

impl ConnectionState {
    fn new(serving: Arc<Serving>, peer: SocketAddr) -> Self {
        let client_address = HeaderValue::try_from(peer.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self { serving, peer, client_address, answering: AtomicUsize::new(0), answers_started: AtomicUsize::new(0) }
    }

    pub(crate) fn answer_started(&self) {
        self.answering.fetch_add(1, Ordering::Relaxed);
        self.answers_started.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests this connection has brought.
    pub(crate) fn answers_started(&self) -> usize {
        self.answers_started.load(Ordering::Relaxed)
    }

    pub(crate) fn answer_ended(&self) {
        self.answering.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn config(&self) -> &GatewayConfig {
        &self.serving.config
    }

    pub(crate) fn access_log(&self) -> AccessLog {
        self.serving.config.access_log
    }

    pub(crate) fn metrics(&self) -> &GatewayMetrics {
        &self.serving.metrics
    }

    pub(crate) fn served(&self) -> Guard<Arc<Served>> {
        self.serving.served.load()
    }

    pub(crate) fn invoke(&self) -> &dyn Invoke {
        &*self.serving.invoke
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn client_address(&self) -> &HeaderValue {
        &self.client_address
    }

    pub(crate) fn own_name(&self) -> &str {
        &self.serving.own_name
    }

    pub(crate) fn own_address(&self) -> &HeaderValue {
        &self.serving.own_address
    }
}

/// Serve a connection to its end.
pub(crate) async fn serve(serving: Arc<Serving>, mut stream: TcpStream, peer: SocketAddr) {
    let mut member = Drain::join(&serving.drain);
    let mut first = Vec::new();
    let sniffed = {
        let sniffing = std::pin::pin!(sniff(&mut stream, &mut first));
        let bounded = tokio::time::timeout(serving.config.header_read_timeout, sniffing);
        tokio::select! {
            sniffed = bounded => sniffed.ok().flatten(),
            () = draining(&mut member) => None,
        }
    };
    let Some(is_http2) = sniffed else { return };
    let state = Arc::new(ConnectionState::new(Arc::clone(&serving), peer));
    let guarded = Guarded::new(stream, &first, is_http2, &serving.config, &state);
    if is_http2 {
        serve_http2(guarded, state, member, &serving).await;
    } else {
        serve_http1(guarded, state, member).await;
    }
}

/// Read until the first bytes tell the protocol. `None` if the connection ends before.
async fn sniff(stream: &mut TcpStream, first: &mut Vec<u8>) -> Option<bool> {
    loop {
        if stream.read_buf(first).await.ok()? == 0 {
            return None;
        }
        if first.starts_with(H2_PREFACE) {
            return Some(true);
        }
        if !H2_PREFACE.starts_with(first) {
            return Some(false);
        }
    }
}

fn draining(member: &mut Member) -> impl Future<Output = ()> {
    poll_fn(|cx| {
        member.register(cx);
        if member.is_draining() { Poll::Ready(()) } else { Poll::Pending }
    })
}

async fn serve_http1(guarded: Guarded, state: Arc<ConnectionState>, member: Member) {
    let header_count_max = state.config().header_count_max;
    let mut builder = http1::Builder::new();
    // Not `pipeline_flush`: with it the library buffers bodies without a bound.
    builder.max_buf_size(BUFFER_BYTES_MAX);
    // Up to the library's own 100, its space for headers is on the stack.
    if header_count_max > 100 {
        builder.max_headers(header_count_max);
    }
    let service = service_fn(move |request| handle(Arc::clone(&state), request));
    let connection = builder.serve_connection(TokioIo::new(guarded), service);
    let ended = Watched::new(connection, member, http1::Connection::graceful_shutdown).await;
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn serve_http2(guarded: Guarded, state: Arc<ConnectionState>, member: Member, serving: &Arc<Serving>) {
    let mut builder = http2::Builder::new(StreamTasks { drain: Arc::clone(&serving.drain) });
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(STREAM_SEND_BUFFER_BYTES)
        .max_header_list_size(serving.config.header_bytes_max.try_into().unwrap_or(u32::MAX));
    let service = service_fn(move |request| handle(Arc::clone(&state), request));
    let connection = builder.serve_connection(TokioIo::new(guarded), service);
    let ended = Watched::new(connection, member, http2::Connection::graceful_shutdown).await;
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "an HTTP/2 connection ended early");
    }
}

/// Runs the streams of an HTTP/2 connection, each under a watch of its own.
#[derive(Debug, Clone)]
struct StreamTasks {
    drain: Arc<Drain>,
}

impl<F> Executor<F> for StreamTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        // The connection's own shutdown tells streams to finish.
        tokio::spawn(Watched::new(stream, Drain::join(&self.drain), |_| {}));
    }
}
