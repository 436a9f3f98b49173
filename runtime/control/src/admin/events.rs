//! `hull publish`: an event from outside.

use http::{HeaderValue, StatusCode};
use hull_bus::BusError;
use hull_invocation::{CORRELATION_HEADER, Event, EventKey, HOPS_HEADER, RequestId, TRACEPARENT_HEADER, TraceContext};
use serde_json::json;

use super::answer::{Answer, Problem, json_with};
use super::route::Asked;
use crate::node::Node;

/// The longest id of an event, in bytes.
const ID_BYTES_MAX: usize = 256;

pub(super) async fn publish(node: &Node, app: &str, subject: &str, asked: Asked) -> Answer {
    if !node.apps.read().await.contains_key(app) {
        return Err(Problem::not_found(format!("there is no app {app:?}")));
    }
    hull_manifest::check_subject(subject).map_err(Problem::bad_request)?;
    let header = |name: &str| asked.head.headers.get(name).and_then(|value| value.to_str().ok());
    let correlation = RequestId::from_bytes(hull_clock::random_bytes());
    let trace = TraceContext::root(hull_clock::random_bytes(), hull_clock::random_u64());
    let mut headers = vec![
        (TRACEPARENT_HEADER.to_owned(), trace.to_string()),
        (CORRELATION_HEADER.to_owned(), correlation.to_string()),
        (HOPS_HEADER.to_owned(), "1".to_owned()),
    ];
    if let Some(content_type) = header("content-type") {
        headers.push(("content-type".to_owned(), content_type.to_owned()));
    }
    let id = match asked.head.headers.get("ce-id") {
        None => hull_clock::time_ordered_id().to_string(),
        Some(value) => checked_id(value)?,
    };
    let event = Event {
        key: EventKey { source: format!("/{app}"), id },
        subject: subject.to_owned(),
        time: hull_clock::rfc3339_now(),
        headers,
        payload: asked.body,
    };
    match node.bus().publish(app, &event).await {
        Ok(published) => Ok(json_with(
            StatusCode::ACCEPTED,
            &json!({
                "id": event.key.id,
                "source": event.key.source,
                "sequence": published.sequence,
                "duplicate": published.duplicate,
            }),
        )),
        Err(error @ (BusError::Invalid { .. } | BusError::TooLarge { .. })) => Err(Problem::bad_request(error)),
        Err(error @ BusError::IdReused { .. }) => Err(Problem::new(StatusCode::CONFLICT, error)),
        Err(error) => Err(Problem::unavailable(error)),
    }
}

/// The bounds that guests' ids have as well.
fn checked_id(value: &HeaderValue) -> Result<String, Problem> {
    let wrong = || Problem::bad_request(format!("`ce-id` has 1 to {ID_BYTES_MAX} bytes of visible ASCII and spaces"));
    let id = value.to_str().map_err(|_| wrong())?;
    let fits = !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control);
    if fits { Ok(id.to_owned()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{ID_BYTES_MAX, checked_id};

    #[test]
    fn ids_are_bounded() {
        let checked = |id: &str| checked_id(&HeaderValue::from_str(id).expect("a value")).ok();
        assert_eq!(checked("order 7").as_deref(), Some("order 7"));
        assert!(checked(&"x".repeat(ID_BYTES_MAX)).is_some());
        for wrong in [String::new(), "x".repeat(ID_BYTES_MAX + 1), "a\tb".to_owned(), "é".to_owned()] {
            assert!(checked(&wrong).is_none(), "{wrong:?}");
        }
    }
}
