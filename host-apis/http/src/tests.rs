//! Outgoing requests against real sockets, up to each bound and beyond it: what the guest is told, and what is counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hull_dispatch::{Body, BodyError, Invoke};
use hull_invocation::{
    CALL_DEPTH_MAX, CALL_TREE_MAX, Cause, ComponentId, CountRejected, Event, EventOutcome, Failure, Invocation,
    Lineage, RequestId, Resource, Slot, TraceContext,
};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wasmtime_wasi_http::{Error as WasiError, RequestOptions, WasiBody};

use crate::egress::{Egress, EgressLimits};
use crate::outgoing::send;
use crate::policy::AllowedHosts;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(1);
const BODY_BYTES_MAX: usize = 1000;

#[derive(Default)]
struct Counted(Mutex<Vec<Resource>>);

impl CountRejected for Counted {
    fn rejected(&self, resource: Resource) {
        self.0.lock().push(resource);
    }
}

/// Answers a call with as many bytes as its path says, once it has read what it was sent.
struct Door;

#[async_trait]
impl Invoke for Door {
    async fn http(&self, _: Invocation, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let bytes = request.uri().path().trim_start_matches('/').parse().expect("a number");
        let broken = |error: BodyError| Failure::BadRequest(error.to_string());
        request.into_body().collect().await.map_err(broken)?;
        let body = Full::new(Bytes::from(vec![7; bytes]));
        Ok(Response::new(body.map_err(|never| match never {}).boxed_unsync()))
    }

    async fn event(&self, _: Invocation, _: Event, _: u32, _: bool) -> Result<EventOutcome, Failure> {
        unreachable!("nothing here handles events")
    }
}

struct Fixture {
    listener: TcpListener,
    url: String,
    egress: Arc<Egress>,
    counted: Arc<Counted>,
    caller: Arc<Invocation>,
}

impl Fixture {
    async fn new(concurrency: usize, time: Duration, deadline: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let grants = [url.as_str(), "http://users.internal"].map(|grant| grant.parse().expect("a grant"));
        let component = ComponentId::new("shop", "orders");
        let allowed = AllowedHosts::new(component.clone(), grants.into());
        let limits = EgressLimits { concurrency, time, body_bytes_max: BODY_BYTES_MAX as u64 };
        let counted = Arc::new(Counted::default());
        let rejected: Arc<dyn CountRejected> = Arc::clone(&counted) as _;
        let egress = Arc::new(Egress::new(allowed, limits, Arc::new(Door), rejected));
        let caller = Invocation {
            lineage: Lineage::root(component.clone()),
            target: component,
            cause: Cause::Http,
            deadline: hull_clock::now() + deadline,
            request_id: RequestId::from_bytes([1; 16]),
            correlation_id: RequestId::from_bytes([2; 16]),
            trace: TraceContext::root([3; 16], 4),
            hops: 0,
            slot: Slot::default(),
        };
        Self { listener, url, egress, counted, caller: Arc::new(caller) }
    }

    async fn send(&self, url: &str, body_bytes: usize) -> Result<Response<WasiBody>, WasiError> {
        send(&self.egress, &self.caller, request(url, body_bytes), RequestOptions::default()).await
    }

    /// Accept one connection, read what comes up to the head's end, and answer so.
    async fn answer(&self, answer: &str) -> TcpStream {
        let (mut stream, _) = self.listener.accept().await.expect("a connection");
        let mut read = Vec::new();
        while !read.windows(4).any(|window| window == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut read).await.expect("a request"), 0);
        }
        stream.write_all(answer.as_bytes()).await.expect("it waits for the answer");
        stream
    }

    fn counted(&self) -> Vec<Resource> {
        std::mem::take(&mut *self.counted.0.lock())
    }
}

fn request(url: &str, body_bytes: usize) -> Request<WasiBody> {
    let body = Full::new(Bytes::from(vec![7; body_bytes])).map_err(|never| match never {}).boxed_unsync();
    Request::post(url).body(body).expect("a request")
}

fn of_bytes(bytes: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{}", "x".repeat(bytes))
}

#[tokio::test]
async fn a_place_is_held_to_the_last_byte() {
    let fixture = Fixture::new(2, LONG, LONG).await;
    assert_eq!(fixture.egress.in_use(), 0);
    let answer = of_bytes(4);
    let (response, _stream) = tokio::join!(fixture.send(&fixture.url, 0), fixture.answer(&answer));
    let mut body = response.expect("an answer").into_body();
    assert_eq!(fixture.egress.in_use(), 1);
    while body.frame().await.is_some() {}
    assert_eq!(fixture.egress.in_use(), 0, "though the body is still there");
    assert_eq!(fixture.counted(), []);
}

/// All have the same deadline: what the first one gives back then is too late for the others.
#[tokio::test]
async fn who_waits_in_vain_for_a_place_does_not_connect() {
    let fixture = Fixture::new(1, LONG, SHORT).await;
    let mut requests = JoinSet::new();
    for _ in 0..8 {
        let (egress, caller) = (Arc::clone(&fixture.egress), Arc::clone(&fixture.caller));
        let request = request(&fixture.url, 0);
        requests.spawn(async move { send(&egress, &caller, request, RequestOptions::default()).await.map(drop) });
    }
    let results = requests.join_all().await;
    let of = |wanted: fn(&WasiError) -> bool| results.iter().filter(|one| one.as_ref().is_err_and(wanted)).count();
    assert_eq!(of(|error| matches!(error, WasiError::HttpResponseTimeout)), 1);
    assert_eq!(of(|error| matches!(error, WasiError::ConnectionLimitReached)), 7);
    assert_eq!(fixture.counted(), [Resource::OutboundConcurrency; 7], "the deadline is counted with the invocation");
    assert_eq!(fixture.egress.in_use(), 0);
    let after = fixture.send(&fixture.url, 0).await;
    assert!(matches!(after, Err(WasiError::HttpResponseTimeout)), "its deadline has passed");
    assert_eq!(fixture.counted(), [], "and it waited for nothing");

    // Connections are accepted in their order: this is the last one.
    let last = TcpStream::connect(fixture.listener.local_addr().expect("an address")).await.expect("a connection");
    let mut connections = 0;
    while fixture.listener.accept().await.expect("a connection").1 != last.local_addr().expect("an address") {
        connections += 1;
    }
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn an_answer_that_does_not_begin_in_time() {
    let fixture = Fixture::new(1, SHORT, LONG).await;
    let late = fixture.send(&fixture.url, 0).await;
    assert!(matches!(late, Err(WasiError::HttpResponseTimeout)));
    assert_eq!(fixture.counted(), [Resource::OutboundTime]);
    // What the guest itself does not want to wait for is no bound of the component's.
    let fixture = Fixture::new(1, LONG, LONG).await;
    let options = RequestOptions { first_byte_timeout: Some(SHORT), ..RequestOptions::default() };
    let late = send(&fixture.egress, &fixture.caller, request(&fixture.url, 0), options).await;
    assert!(matches!(late, Err(WasiError::HttpResponseTimeout)));
    assert_eq!(fixture.counted(), []);
}

#[tokio::test]
async fn an_answer_that_does_not_end_in_time() {
    for (time, deadline, counted) in [(SHORT, LONG, vec![Resource::OutboundTime]), (LONG, SHORT, vec![])] {
        let fixture = Fixture::new(1, time, deadline).await;
        let unfinished = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx";
        let (response, _stream) = tokio::join!(fixture.send(&fixture.url, 0), fixture.answer(unfinished));
        let mut body = response.expect("an answer").into_body();
        assert!(matches!(body.frame().await, Some(Ok(_))));
        assert!(matches!(body.frame().await, Some(Err(WasiError::HttpResponseTimeout))));
        assert!(body.frame().await.is_none());
        assert_eq!(fixture.counted(), counted);
        assert_eq!(fixture.egress.in_use(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large() {
    for (bytes, fits) in [(BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
        let fixture = Fixture::new(1, LONG, LONG).await;
        let answer = of_bytes(bytes);
        let (response, _stream) = tokio::join!(fixture.send(&fixture.url, 0), fixture.answer(&answer));
        let body = response.expect("an answer").into_body().collect().await;
        match body {
            Ok(body) => assert_eq!((body.to_bytes().len(), fits), (bytes, true)),
            Err(error) => assert!(!fits && matches!(error, WasiError::HttpResponseBodySize(Some(1000))), "{error}"),
        }
        assert_eq!(fixture.counted(), if fits { vec![] } else { vec![Resource::OutboundBody] });
    }
}

#[tokio::test]
async fn a_request_that_is_too_large() {
    let fixture = Fixture::new(1, LONG, LONG).await;
    let answer = of_bytes(0);
    let (response, _stream) = tokio::join!(fixture.send(&fixture.url, BODY_BYTES_MAX), fixture.answer(&answer));
    response.expect("it fits").into_body().collect().await.expect("an end");
    assert_eq!(fixture.counted(), []);
    let refused = fixture.send(&fixture.url, BODY_BYTES_MAX + 1).await.map(drop).expect_err("it does not fit");
    assert!(matches!(refused, WasiError::HttpRequestBodySize(Some(1000))), "{refused}");
    assert_eq!(fixture.counted(), [Resource::OutboundBody]);
}

#[tokio::test]
async fn bodies_of_calls_have_the_same_bound() {
    let fixture = Fixture::new(1, LONG, LONG).await;
    let response = fixture.send("http://users.internal/1000", BODY_BYTES_MAX).await.expect("an answer");
    assert_eq!(response.into_body().collect().await.expect("it fits").to_bytes().len(), 1000);
    assert_eq!(fixture.counted(), []);
    let response = fixture.send("http://users.internal/1001", 0).await.expect("an answer");
    let refused = response.into_body().collect().await.expect_err("it does not fit");
    assert!(matches!(refused, WasiError::HttpResponseBodySize(Some(1000))), "{refused}");
    assert_eq!(fixture.counted(), [Resource::OutboundBody]);
    let refused = fixture.send("http://users.internal/0", BODY_BYTES_MAX + 1).await.map(drop);
    assert!(matches!(refused, Err(WasiError::HttpRequestBodySize(Some(1000)))), "{refused:?}");
    assert_eq!(fixture.counted(), [Resource::OutboundBody]);
}

#[tokio::test]
async fn calls_that_nest_too_deep_or_too_wide() {
    let mut fixture = Fixture::new(1, LONG, LONG).await;
    let root = Lineage::root(ComponentId::new("shop", "web"));
    let next = |lineage: &Lineage| lineage.call(ComponentId::new("shop", "orders")).expect("within the bounds");
    let deep = (1..CALL_DEPTH_MAX).fold(root.clone(), |lineage, _| next(&lineage));
    // The root and the deepest one are alive already.
    let wide: Vec<Lineage> = (2..CALL_TREE_MAX).map(|_| next(&root)).collect();
    for lineage in [deep.clone(), root.clone()] {
        Arc::get_mut(&mut fixture.caller).expect("nobody else has it").lineage = lineage;
        let refused = fixture.send("http://users.internal/0", 0).await.map(drop);
        assert!(matches!(refused, Err(WasiError::LoopDetected)), "{refused:?}");
        assert_eq!(fixture.counted(), [Resource::CallDepth]);
    }
    drop(wide);
    fixture.send("http://users.internal/0", 0).await.expect("there is room again");
    assert_eq!(fixture.counted(), []);
    drop(deep);
}
