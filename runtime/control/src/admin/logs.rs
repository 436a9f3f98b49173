//! Recent log lines, and those that come.

use std::fmt::Write as _;
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
use super::route::{Asked, known_app, known_or_upstream};
use crate::node::Node;

/// Lines that are shown unless another number is asked for.
const LINES: usize = 100;
/// The most lines of the past that can be asked for.
const LINES_MAX: usize = 10_000;
const NDJSON: &str = "application/x-ndjson";

pub(super) async fn logs(node: &Node, app: &str, asked: &Asked) -> Answer {
    known_app(node, app).await?;
    let lines = match asked.query.get("lines") {
        None => LINES,
        Some(text) => text.parse().map_err(|_| Problem::bad_request("`lines` is not a number"))?,
    };
    let lines = lines.min(LINES_MAX);
    let component: Option<ComponentId> = match asked.query.get("component") {
        Some(name) => Some(known_or_upstream(node, app, name).await?),
        None => None,
    };
    let app: Arc<str> = app.into();
    let follow = match asked.query.get("follow").map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::bad_request("`follow` is true or false")),
    };
    if follow {
        // They never end by themselves, and others need connections as well.
        let place = Arc::clone(node.log_followers()).try_acquire_owned();
        let place = place.map_err(|_| Problem::unavailable("too many follow the logs already; end one of them"))?;
        let follower = node.logs().follow(component, lines);
        let frames = stream::unfold((follower, app, place), |(mut follower, app, place)| async move {
            let text = ndjson(&follower.next().await, &app);
            Some((Ok::<_, BodyError>(Frame::data(text)), (follower, app, place)))
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
    let mut text = String::new();
    for line in of_app {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line.to_json());
    }
    text.into()
}
