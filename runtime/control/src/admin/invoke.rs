//! `hull invoke`: a request to a component, past the gateway and through the same door.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hull_dispatch::{Body, BodyError};
use hull_invocation::{Cause, ComponentId, Failure, Invocation, Lineage, Pinned, RequestId, Slot, TraceContext};
use tokio::sync::mpsc;

use super::AdminHost;
use super::answer::{Answer, Problem, whole};
use super::revisions::{named, taken};
use super::route::Asked;
use crate::node::Node;

/// Pieces of an answer that wait for a slow reader.
const FRAMES_WAITING_MAX: usize = 4;
const INVOKED: HeaderName = HeaderName::from_static("x-hull-invoked");

/// Headers of the request, behind this.
const HEADER: &str = "x-hull-invoke-";

/// A request to the revision that is being tried, whatever its share.
pub(super) async fn preview(host: &AdminHost, app: &str, component: &str, asked: Asked) -> Answer {
    let (deployments, app) = (taken(host)?, named(app)?);
    let running = deployments.running().filter(|running| running.app == app);
    let none = || Problem::new(StatusCode::CONFLICT, format!("no revision of app {app} is being tried"));
    let candidate = running.and_then(|running| running.candidate()).ok_or_else(none)?;
    let found = candidate.app.component(component);
    let found = found.ok_or_else(|| Problem::not_found(format!("that revision has no component {component:?}")))?;
    let id = ComponentId::new(app.as_str(), component);
    invoke(&host.node, &id, found.hull.limits.time, asked, Some(&candidate.revision)).await
}

/// A request to a component; the revision that serves answers it unless another one is given.
pub(super) async fn invoke(
    node: &Arc<Node>,
    id: &ComponentId,
    time: Duration,
    asked: Asked,
    revision: Option<&Pinned>,
) -> Answer {
    let method = asked.query.get("method").map_or("GET", String::as_str);
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Problem::bad_request("`method` is no method"))?;
    let path = asked.query.get("path").map_or("/", String::as_str);
    if !path.starts_with('/') {
        return Err(Problem::bad_request("`path` must begin with /"));
    }
    let request_id = RequestId::from_bytes(hull_clock::random_bytes());
    let trace = TraceContext::root(hull_clock::random_bytes(), hull_clock::random_u64());
    let host = format!("{}.internal", id.component());
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, host)
        .header("x-request-id", request_id.as_str())
        .header("x-correlation-id", request_id.as_str())
        .header("traceparent", trace.to_string());
    if let Some(content_type) = asked.head.headers.get(CONTENT_TYPE) {
        builder = builder.header(CONTENT_TYPE, content_type);
    }
    for (name, value) in &asked.head.headers {
        let forwarded = name.as_str().strip_prefix(HEADER).and_then(|name| name.parse::<HeaderName>().ok());
        if let Some(name) = forwarded.filter(|name| *name != HOST && *name != CONTENT_LENGTH) {
            builder = builder.header(name, value);
        }
    }
    let request = builder.body(whole(asked.body)).map(|mut request| {
        hull_gateway::strip_hop_by_hop(request.headers_mut());
        request
    });
    let request = request.map_err(|error| Problem::bad_request(format!("`path` cannot be requested: {error}")))?;
    let deadline = hull_clock::now() + time;
    let lineage = Lineage::root(id.clone());
    if let Some(revision) = revision {
        lineage.frame().pin(revision);
    }
    let invocation = Invocation {
        target: id.clone(),
        cause: Cause::Http,
        deadline,
        correlation_id: request_id.clone(),
        request_id,
        trace,
        lineage,
        hops: 0,
        slot: Slot::default(),
    };
    let failed = |failure: Failure| Problem::new(hull_gateway::status(&failure), failure);
    let mut response = node.door().http(invocation, request).await.map_err(failed)?;
    if response.status().is_informational() {
        let message = format!("its status is {}, which is no answer", response.status().as_u16());
        return Err(failed(Failure::NoResponse { component: id.clone(), message }));
    }
    // These would be taken for words about the connection to whoever asks, and a length that is not true would end
    // one answer within the next.
    hull_gateway::strip_hop_by_hop(response.headers_mut());
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(INVOKED, HeaderValue::from_static("true"));
    let too_late = Failure::DeadlineExceeded { component: id.clone(), after: time };
    Ok(response.map(|body| until(body, deadline, too_late)))
}

/// The body, read until its deadline whether or not the client reads: a terminal that was left alone must not keep a
/// guest. When the client goes away the guest is cancelled.
fn until(mut body: Body, deadline: Instant, too_late: Failure) -> Body {
    let (sender, receiver) = mpsc::channel(FRAMES_WAITING_MAX);
    let is_whole = Arc::new(AtomicBool::new(false));
    let whole = Arc::clone(&is_whole);
    tokio::spawn(async move {
        let passing = async {
            while let Some(frame) = body.frame().await {
                if sender.send(frame).await.is_err() {
                    return;
                }
            }
            whole.store(true, Ordering::Release);
        };
        tokio::select! {
            _ = tokio::time::timeout_at(deadline.into(), passing) => {}
            () = sender.closed() => {}
        }
    });
    // An answer that was cut short must not look whole.
    let frames = stream::unfold(Some((receiver, too_late)), move |reading| {
        let is_whole = Arc::clone(&is_whole);
        async move {
            let (mut receiver, too_late) = reading?;
            match receiver.recv().await {
                Some(frame) => Some((frame, Some((receiver, too_late)))),
                None if is_whole.load(Ordering::Acquire) => None,
                None => Some((Err(BodyError::Guest(too_late)), None)),
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};
    use hull_dispatch::BodyError;
    use hull_invocation::Failure;

    use super::until;

    #[allow(clippy::unnecessary_wraps, reason = "what a body is made of")]
    fn frame(text: &'static str) -> Result<Frame<Bytes>, BodyError> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    #[tokio::test]
    async fn a_body_passes_whole() {
        let frames = stream::iter(["a", "b", "c", "d", "e", "f"].map(frame));
        let deadline = hull_clock::now() + Duration::from_mins(1);
        let body = until(StreamBody::new(frames).boxed_unsync(), deadline, Failure::Cancelled);
        assert_eq!(body.collect().await.expect("whole").to_bytes(), "abcdef");
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_ended_at_the_deadline() {
        let frames = stream::iter([frame("a")]).chain(stream::pending());
        let mut body = until(StreamBody::new(frames).boxed_unsync(), hull_clock::now(), Failure::Cancelled);
        let mut last = body.frame().await;
        if last.as_ref().is_some_and(Result::is_ok) {
            last = body.frame().await;
        }
        assert!(matches!(last, Some(Err(BodyError::Guest(Failure::Cancelled)))), "{last:?}");
    }

    #[tokio::test]
    async fn a_body_that_nobody_reads_is_dropped_at_the_deadline() {
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        let frames = stream::repeat_with(move || {
            let _ = &held;
            frame("a")
        });
        let body = until(StreamBody::new(frames).boxed_unsync(), hull_clock::now(), Failure::Cancelled);
        assert!(dropped.await.is_err());
        assert!(body.collect().await.is_err());
    }
}
