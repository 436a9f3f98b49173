//! A gateway that runs, and components that do what the request's path says.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use hull_dispatch::{Account, Body, BodyError, CpuBounds, Invoke, RunOrder, RunQueue, Share};
use hull_gateway::{ComponentTarget, Drained, Gateway, GatewayConfig, GatewayRoutes, RouteTable, StaticAnswer, Target};
use hull_invocation::{ComponentId, Event, EventOutcome, Failure, Invocation};
use hull_telemetry::{Logs, Metrics};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

/// What the tests may take at most, so that a failure is an error and not a hang.
pub(crate) const TEST_TIME: Duration = Duration::from_secs(20);
/// `limits.body-in-max` of the component.
pub(crate) const BODY_BYTES_MAX: u64 = 100_000;

/// Components that do what the path says.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) started: AtomicUsize,
    pub(crate) dropped: Arc<Dropped>,
    /// Lets `/wait` and `/stream` go on.
    pub(crate) release: Arc<Notify>,
    /// The last request's invocation and headers.
    pub(crate) last: Mutex<Option<(Invocation, HeaderMap, String)>>,
    /// How the last request's body ended.
    pub(crate) body_end: Mutex<Option<Result<usize, BodyError>>>,
    pub(crate) body_ended: Notify,
}

/// Counts futures and bodies that were given up, and tells when.
#[derive(Default)]
pub(crate) struct Dropped {
    count: AtomicUsize,
    changed: Notify,
}

impl Dropped {
    pub(crate) async fn wait_for(&self, count: usize) {
        tokio::time::timeout(TEST_TIME, async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if self.count.load(Ordering::SeqCst) >= count {
                    return;
                }
                changed.await;
            }
        })
        .await
        .expect("dropped in time");
    }
}

/// Counts itself when dropped.
struct Witness(Arc<Dropped>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

#[async_trait]
impl Invoke for Fake {
    async fn http(&self, invocation: Invocation, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let (parts, mut body) = request.into_parts();
        self.started.fetch_add(1, Ordering::SeqCst);
        *self.last.lock() = Some((invocation.clone(), parts.headers.clone(), parts.uri.to_string()));
        let component = invocation.target;
        match parts.uri.path() {
            "/echo" => {
                let received = read(&mut body).await;
                *self.body_end.lock() = Some(received.as_ref().map(Bytes::len).map_err(Clone::clone));
                self.body_ended.notify_one();
                match received {
                    Ok(bytes) => Ok(Response::new(whole(bytes))),
                    Err(error) => Err(Failure::NoResponse { component, message: error.to_string() }),
                }
            }
            "/wait" => {
                let _witness = Witness(Arc::clone(&self.dropped));
                self.release.notified().await;
                Ok(Response::new(whole("waited")))
            }
            "/stream" => Ok(Response::new(self.stream(1))),
            "/told" => Ok(told(self.stream(1))),
            "/told-trailers" => Ok(told(with_trailers("first "))),
            "/flood" => Ok(Response::new(self.stream(usize::MAX))),
            "/trap" => Err(Failure::Trapped { component, message: "secret of the guest".to_owned() }),
            "/half" => Ok(Response::new(self.broken(Some("half")))),
            "/none" => {
                self.release.notify_one();
                Ok(Response::new(self.broken(None)))
            }
            path if path.starts_with("/raw/") => Ok(raw(path)),
            _ => Ok(Response::new(whole("hello"))),
        }
    }

    async fn event(&self, _: Invocation, _: Event, _: u32, _: bool) -> Result<EventOutcome, Failure> {
        Err(Failure::Internal("there are no events here".to_owned()))
    }
}

impl Fake {
    fn broken(&self, first: Option<&'static str>) -> Body {
        let release = Box::pin(Arc::clone(&self.release).notified_owned());
        Body::new(Broken { first: first.map(Bytes::from), release })
    }

    fn stream(&self, chunks: usize) -> Body {
        let body = Streamed {
            chunks,
            release: Box::pin(Arc::clone(&self.release).notified_owned()),
            _witness: Witness(Arc::clone(&self.dropped)),
        };
        Body::new(body)
    }
}

/// Odd answers that a guest might give.
fn raw(path: &str) -> Response<Body> {
    let answer = |status, headers: &[(&'static str, &'static str)], body: &'static str| {
        let mut response = Response::new(whole(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in headers {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        response
    };
    match path {
        "/raw/hop" => {
            answer(200, &[("connection", "x-own"), ("x-own", "1"), ("keep-alive", "1"), ("x-kept", "1")], "a")
        }
        "/raw/length" => answer(200, &[("content-length", "99")], "four"),
        "/raw/lengths" => answer(200, &[("content-length", "4"), ("content-length", "5")], "four"),
        "/raw/204" => answer(204, &[], "not to be sent"),
        "/raw/304" => answer(304, &[("etag", "\"1\"")], "not to be sent"),
        "/raw/101" => answer(101, &[], ""),
        _ => answer(404, &[], ""),
    }
}

/// With the length of the first chunk.
fn told(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-length", HeaderValue::from_static("6"));
    response
}

fn with_trailers(bytes: &'static str) -> Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    let body = Full::from(bytes).with_trailers(std::future::ready(Some(Ok(trailers))));
    Body::new(body.map_err(|never: std::convert::Infallible| match never {}))
}

/// One chunk, then the rest when released.
struct Streamed {
    chunks: usize,
    release: Pin<Box<tokio::sync::futures::OwnedNotified>>,
    _witness: Witness,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.chunks > 0 {
            this.chunks -= 1;
            let chunk =
                if this.chunks == 0 { Bytes::from_static(b"first ") } else { Bytes::from_static(&[b'x'; 16_000]) };
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match this.release.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(None),
        }
    }
}

/// A chunk, if there is to be one, then a failure: at once, or when released.
struct Broken {
    first: Option<Bytes>,
    release: Pin<Box<tokio::sync::futures::OwnedNotified>>,
}

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let failure = Failure::Internal("the other half".to_owned());
        this.release.as_mut().poll(cx).map(|()| Some(Err(BodyError::Guest(failure))))
    }
}

fn whole(bytes: impl Into<Bytes>) -> Body {
    Body::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

async fn read(body: &mut Body) -> Result<Bytes, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.into())
}

/// A gateway that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) fake: Arc<Fake>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) routes: GatewayRoutes,
    pub(crate) time: Duration,
    account: Arc<Account>,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<Drained>,
}

impl Running {
    /// With `limits.time` far away.
    pub(crate) fn start(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        Self::start_with_time(Duration::from_mins(1), change)
    }

    pub(crate) fn start_with_time(time: Duration, change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let mut config = GatewayConfig { listen: ([127, 0, 0, 1], 0).into(), ..GatewayConfig::default() };
        change(&mut config);
        let metrics = Arc::new(Metrics::new());
        let logs = Logs::new(Arc::clone(&metrics));
        let gateway = Gateway::bind(config, &metrics).expect("a free port");
        let (address, routes) = (gateway.local_addr(), gateway.routes());
        let fake = Arc::new(Fake::default());
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(gateway.run(Arc::clone(&fake) as Arc<dyn Invoke>, async {
            stopped.await.expect("the test says when");
        }));
        let queue = RunQueue::start(1, RunOrder::Fair, &Handle::current()).expect("a thread");
        let account = queue.account(&Share::new(100), CpuBounds::default());
        let running = Self { address, fake, metrics, logs, routes, time, account, stop: Some(stop), ended };
        running.set_routes(&["/..."]);
        running
    }

    /// All routes lead to one component, but `/static`.
    pub(crate) fn set_routes(&self, routes: &[&str]) {
        let id = ComponentId::new("shop", "fake");
        let component = Target::Component(ComponentTarget {
            id: id.clone(),
            revision: None,
            time: self.time,
            body_in_bytes_max: BODY_BYTES_MAX,
            account: Arc::clone(&self.account),
            metrics: self.metrics.component(&id),
            log: self.logs.component(&id),
            watch: None,
            upstream: None,
            split: None,
        });
        let mut headers = HeaderMap::new();
        headers.insert("x-static", HeaderValue::from_static("yes"));
        let fixed = Target::Static(StaticAnswer { status: StatusCode::IM_A_TEAPOT, headers, body: "fixed".into() });
        let routes = routes.iter().map(|route| (*route, component.clone())).chain([("/static", fixed)]);
        let routes = routes.map(|(route, target)| (route.parse().expect("a route"), target));
        self.routes.set(RouteTable::new(routes).expect("no duplicates"));
    }

    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().expect("told once").send(()).expect("the gateway runs");
    }

    pub(crate) async fn ended(self) -> Drained {
        tokio::time::timeout(TEST_TIME, self.ended).await.expect("ended in time").expect("no panic")
    }
}
