//! A server as there are many: it answers what its paths say, and keeps count of who comes, stays and goes away.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

type Answered = UnsyncBoxBody<Bytes, std::io::Error>;

/// What a download is made of.
const PIECE: &[u8] = &[b'm'; 64 * 1024];

/// A monolith that runs until it is dropped.
pub(crate) struct Monolith {
    address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    _runtime: Runtime,
}

/// What it has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: AtomicUsize,
    pub(crate) inside: AtomicUsize,
    pub(crate) most_inside: AtomicUsize,
    /// Those who left before they had their answer.
    pub(crate) gone: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    pub(crate) last: Mutex<Value>,
}

impl Monolith {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::start_on(0)
    }

    /// On a port that is known before.
    pub(crate) fn start_on(port: u16) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port)))?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        runtime.spawn(accept(listener, Arc::clone(&seen)));
        Ok(Self { address, seen, _runtime: runtime })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn last(&self) -> Value {
        self.seen.last.lock().expect("no panic").clone()
    }
}

async fn accept(listener: TcpListener, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&seen), request));
            // A client that goes away is nothing to tell of.
            let _ = http1::Builder::new().half_close(false).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Somebody who is being served.
struct Guest {
    seen: Arc<Seen>,
    served: bool,
}

impl Guest {
    fn of(seen: &Arc<Seen>) -> Self {
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let inside = seen.inside.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most_inside.fetch_max(inside, Ordering::SeqCst);
        Self { seen: Arc::clone(seen), served: false }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.seen.inside.fetch_sub(1, Ordering::SeqCst);
        self.seen.gone.fetch_add(usize::from(!self.served), Ordering::SeqCst);
    }
}

async fn answer(seen: Arc<Seen>, request: Request<Incoming>) -> Result<Response<Answered>, Infallible> {
    let guest = Guest::of(&seen);
    *seen.last.lock().expect("no panic") = told(&request);
    let target = request.uri().clone();
    let path = target.path().trim_start_matches("/old").trim_start_matches("/orders");
    let number = path.rsplit('/').next().and_then(|last| last.parse::<u64>().ok()).unwrap_or_default();
    let response = match path.split('/').nth(1).unwrap_or_default() {
        "upload" => json_of(guest, &json!({ "bytes": count(request.into_body()).await })),
        "download" => streamed(guest, number, End::Whole),
        "copy" => Response::new(Copy { incoming: request.into_body(), guest }.boxed_unsync()),
        "hold" => {
            tokio::time::sleep(Duration::from_secs(number)).await;
            json_of(guest, &json!("at last"))
        }
        "half" => streamed(guest, 8 << 20, End::Broken),
        "drip" => streamed(guest, 100_000, End::Never),
        "status" => {
            let mut response = json_of(guest, &json!({ "status": number }));
            *response.status_mut() = StatusCode::from_u16(u16::try_from(number).unwrap_or(500)).expect("a status");
            response
        }
        "hop" => {
            let mut response = json_of(guest, &json!("hop"));
            for (name, value) in [("connection", "x-private"), ("x-private", "1"), ("keep-alive", "timeout=9")] {
                response.headers_mut().insert(name, value.parse().expect("a value"));
            }
            response.headers_mut().append("set-cookie", "a=1".parse().expect("a value"));
            response.headers_mut().append("set-cookie", "b=2".parse().expect("a value"));
            response
        }
        _ => {
            let about = seen.last.lock().expect("no panic").clone();
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            json_of(guest, &json!({ "from": "monolith", "request": about, "body": String::from_utf8_lossy(&body) }))
        }
    };
    Ok(response)
}

fn told(request: &Request<Incoming>) -> Value {
    let headers = request.headers().iter();
    let headers: Vec<(String, String)> = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let by_name: serde_json::Map<_, _> =
        headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    json!({ "method": request.method().as_str(), "target": request.uri().to_string(), "headers": by_name,
        "header_count": headers.len() })
}

async fn count(mut body: Incoming) -> u64 {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
    }
    bytes
}

fn json_of(mut guest: Guest, value: &Value) -> Response<Answered> {
    guest.served = true;
    let body = Full::new(Bytes::from(value.to_string()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    response.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
    response
}

/// How a body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
    Never,
}

fn streamed(guest: Guest, bytes: u64, end: End) -> Response<Answered> {
    let mut response = Response::new(Streamed { left: bytes, end, guest }.boxed_unsync());
    if end == End::Whole && bytes.is_multiple_of(2) {
        response.headers_mut().insert("content-length", bytes.into());
    }
    response
}

struct Streamed {
    left: u64,
    end: End,
    guest: Guest,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE.len());
        self.left -= length as u64;
        match (length, self.end) {
            (0, End::Whole) => {
                self.guest.served = true;
                Poll::Ready(None)
            }
            (0, End::Broken) => Poll::Ready(Some(Err(std::io::Error::other("half is enough")))),
            // Whoever reads goes away, or waits: nothing wakes this body.
            (0, End::Never) => Poll::Pending,
            _ => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE.get(..length).unwrap_or_default()))))),
        }
    }
}

/// What comes goes back as it comes.
struct Copy {
    incoming: Incoming,
    guest: Guest,
}

impl Body for Copy {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        self.guest.served |= frame.is_none();
        Poll::Ready(frame.map(|frame| frame.map_err(std::io::Error::other)))
    }
}
