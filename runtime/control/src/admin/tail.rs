//! `hull events tail`: what the stream holds of a subject, and what comes. Read without a consumer, a page at a time as
//! the client takes it: who looks holds nothing up, and leaves nothing behind.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hull_bus::{Bus, Page, ReadFrom, StoredEvent};
use hull_dispatch::BodyError;
use hull_manifest::SubjectPattern;
use serde_json::{Value, json};

use super::answer::{Answer, Problem, json_ok};
use super::dead_letters::base64;
use super::route::{Asked, known_app};
use crate::node::Node;

/// Events that are shown unless another number is asked for; the bus bounds it as well.
const EVENTS: usize = 100;
/// How often a follower who has seen everything looks again.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const NDJSON: &str = "application/x-ndjson";

pub(super) async fn tail(node: &Node, app: &str, asked: &Asked) -> Answer {
    known_app(node, app).await?;
    let query = |key: &str| asked.query.get(key).map(String::as_str);
    let pattern: SubjectPattern = query("subject").unwrap_or(">").parse().map_err(Problem::bad_request)?;
    let from = match query("from") {
        None | Some("all") => ReadFrom::Sequence(0),
        Some("new") => ReadFrom::End,
        Some(number) => ReadFrom::Sequence(
            number.parse().map_err(|_| Problem::bad_request("`from` is all, new or the number of an event"))?,
        ),
    };
    let limit = match query("limit") {
        None => EVENTS,
        Some(text) => text.parse().map_err(|_| Problem::bad_request("`limit` is not a number"))?,
    };
    let bus = node.bus();
    let page = bus.read(app, &pattern, from, limit).await.map_err(Problem::unavailable)?;
    match query("follow") {
        None | Some("false") => {
            let events: Vec<Value> = page.events.iter().map(shown).collect();
            json_ok(&json!({ "events": events, "next": page.next, "is_last": page.is_last }))
        }
        Some("true") => follow(node, Following { bus, app: app.to_owned(), pattern, page }),
        Some(_) => Err(Problem::bad_request("`follow` is true or false")),
    }
}

/// What one follower has: the page that it gets next.
struct Following {
    bus: Arc<dyn Bus>,
    app: String,
    pattern: SubjectPattern,
    page: Page,
}

fn follow(node: &Node, following: Following) -> Answer {
    // They never end by themselves, and others need connections as well.
    let place = Arc::clone(node.log_followers()).try_acquire_owned();
    let place = place.map_err(|_| Problem::unavailable("too many follow logs or events already; end one of them"))?;
    let frames = stream::unfold((Some(following), place), |(following, place)| async move {
        let (text, following) = following?.next().await;
        Some((Ok::<_, BodyError>(Frame::data(text)), (following, place)))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    Ok(response)
}

impl Following {
    /// The next lines, as soon as there are some. What cannot be read is a last line that says so.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        while self.page.events.is_empty() {
            if self.page.is_last {
                tokio::time::sleep_until((hull_clock::now() + LOOK_EVERY).into()).await;
            }
            match self.bus.read(&self.app, &self.pattern, ReadFrom::Sequence(self.page.next), EVENTS).await {
                Ok(page) => self.page = page,
                Err(error) => return (format!("{}\n", json!({ "problem": error.to_string() })).into(), None),
            }
        }
        (ndjson(&std::mem::take(&mut self.page.events)), Some(self))
    }
}

fn ndjson(events: &[StoredEvent]) -> Bytes {
    let mut text = String::new();
    for stored in events {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", shown(stored));
    }
    text.into()
}

fn shown(StoredEvent { sequence, published_ms, event }: &StoredEvent) -> Value {
    json!({
        "sequence": sequence,
        "published_at": hull_clock::rfc3339(*published_ms),
        "subject": event.subject,
        "id": event.key.id,
        "source": event.key.source,
        "time": event.time,
        "headers": event.headers,
        "payload_text": std::str::from_utf8(&event.payload).ok(),
        "payload_base64": base64(&event.payload),
    })
}
