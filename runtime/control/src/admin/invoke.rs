//! `hull invoke`: a request to a component, past the gateway and through the same door.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request};
use hull_invocation::{Cause, ComponentId, Invocation, Lineage, RequestId, Slot, TraceContext};

use super::answer::{Answer, Problem, whole};
use super::route::Asked;
use crate::node::Node;

/// The component's own `time` is the bound; this is for one without an end.
const TIME_MAX: Duration = Duration::from_secs(3600);
const INVOKED: HeaderName = HeaderName::from_static("x-hull-invoked");

pub(super) async fn invoke(node: &Arc<Node>, id: &ComponentId, asked: Asked) -> Answer {
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
    let request = builder.body(whole(asked.body));
    let request = request.map_err(|error| Problem::bad_request(format!("`path` cannot be requested: {error}")))?;
    let invocation = Invocation {
        target: id.clone(),
        cause: Cause::Http,
        deadline: hull_clock::now() + TIME_MAX,
        correlation_id: request_id.clone(),
        request_id,
        trace,
        lineage: Lineage::root(id.clone()),
        hops: 0,
        slot: Slot::default(),
    };
    match node.door().http(invocation, request).await {
        Ok(mut response) => {
            response.headers_mut().insert(INVOKED, HeaderValue::from_static("true"));
            Ok(response)
        }
        Err(failure) => Err(Problem::new(hull_gateway::status(&failure), failure)),
    }
}
