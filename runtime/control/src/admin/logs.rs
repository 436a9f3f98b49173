//! Recent log lines, and those that come.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hull_dispatch::BodyError;
use hull_invocation::ComponentId;
use hull_telemetry::LogLine;

use super::answer::{Answer, Problem, with_body};
use super::route::Asked;
use crate::node::Node;

/// Lines that are shown unless another number is asked for.
const LINES: usize = 100;
/// The most lines of the past that can be asked for.
const LINES_MAX: usize = 10_000;
const NDJSON: &str = "application/x-ndjson";

pub(super) fn logs(node: &Node, app: &str, asked: &Asked) -> Answer {
    let lines = match asked.query.get("lines") {
        None => LINES,
        Some(text) => text.parse().map_err(|_| Problem::bad_request("`lines` is not a number"))?,
    };
    let lines = lines.min(LINES_MAX);
    let component = asked.query.get("component").map(|name| ComponentId::new(app, name.as_str()));
    let app: Arc<str> = app.into();
    if asked.query.get("follow").is_some_and(|value| value == "true") {
        let follower = node.logs().follow(component, lines);
        let frames = stream::unfold((follower, app), |(mut follower, app)| async move {
            let text = ndjson(&follower.next().await, &app);
            Some((Ok::<_, BodyError>(Frame::data(text)), (follower, app)))
        });
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
        return Ok(response);
    }
    let lines = node.logs().tail(component.as_ref(), lines);
    Ok(with_body(http::StatusCode::OK, NDJSON, ndjson(&lines, &app)))
}

fn ndjson(lines: &[LogLine], app: &str) -> Bytes {
    let of_app = lines.iter().filter(|line| line.component.app() == app);
    of_app.map(|line| format!("{}\n", line.to_json())).collect::<String>().into()
}
