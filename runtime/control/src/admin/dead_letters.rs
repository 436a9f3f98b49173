//! Dead letters: looked at, replayed, removed.

use http::StatusCode;
use hull_events::{EventsError, Replayed};
use hull_invocation::ComponentId;
use hull_storage::{DeadLetterFilter, DeadLetterKind, StoredDeadLetter};
use serde_json::{Value, json};

use super::answer::{Answer, Problem, json_ok, no_content};
use super::route::Asked;
use crate::node::Node;

/// Letters on a page unless another number is asked for, and at the most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;

pub(super) async fn list(node: &Node, app: &str, asked: &Asked) -> Answer {
    let query = |key: &str| asked.query.get(key).cloned();
    let number = |key: &'static str, default: i64| match asked.query.get(key) {
        None => Ok(default),
        Some(text) => text.parse::<i64>().map_err(|_| Problem::bad_request(format!("`{key}` is not a number"))),
    };
    let filter = DeadLetterFilter { subject: query("subject"), reason: query("reason") };
    let limit = usize::try_from(number("limit", PAGE as i64)?).unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let after = number("after", 0)?;
    let wanted = query("component");
    let components: Vec<ComponentId> = {
        let apps = node.apps.read().await;
        let deployed = apps.get(app).ok_or_else(|| Problem::not_found(format!("there is no app {app:?}")))?;
        let ids = deployed.components.iter().map(|served| served.id.clone());
        ids.filter(|id| wanted.as_deref().is_none_or(|name| name == id.component())).collect()
    };
    if components.is_empty() {
        return Err(Problem::not_found(format!("app {app} has no such component")));
    }
    let mut shown = Vec::new();
    let mut next = Value::Null;
    for id in &components {
        let letters = node.events.dead_letters(id, &filter, after, limit).await.map_err(problem)?;
        // Ids count within a component: only a listing of one can be continued.
        if letters.len() == limit && components.len() == 1 {
            next = letters.last().map_or(Value::Null, |letter| letter.id.into());
        }
        shown.extend(letters.iter().map(|letter| summary(id, letter)));
    }
    json_ok(&json!({ "dead_letters": shown, "next": next }))
}

pub(super) async fn show(node: &Node, id: &ComponentId, letter: &str) -> Answer {
    let stored = node.events.dead_letter(id, parsed(letter)?).await.map_err(problem)?;
    let event = &stored.letter.event;
    let mut shown = summary(id, &stored);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("time".to_owned(), event.time.clone().into());
        fields.insert("headers".to_owned(), json!(event.headers));
        fields.insert("payload_text".to_owned(), json!(std::str::from_utf8(&event.payload).ok()));
        fields.insert("payload_base64".to_owned(), base64(&event.payload).into());
    }
    json_ok(&shown)
}

pub(super) async fn replay(node: &Node, id: &ComponentId, letter: &str) -> Answer {
    let replayed = node.events.replay(id, parsed(letter)?).await.map_err(problem)?;
    let (outcome, detail) = match replayed {
        Replayed::Done => ("handled", None),
        Replayed::Failed(reason) => ("failed", Some(reason)),
    };
    json_ok(&json!({ "outcome": outcome, "detail": detail }))
}

pub(super) async fn purge(node: &Node, id: &ComponentId, letter: &str) -> Answer {
    node.events.purge(id, parsed(letter)?).await.map_err(problem)?;
    no_content()
}

fn parsed(letter: &str) -> Result<i64, Problem> {
    letter.parse().map_err(|_| Problem::bad_request(format!("{letter:?} is not the number of a dead letter")))
}

fn problem(error: EventsError) -> Problem {
    match error {
        EventsError::UnknownLetter { .. } | EventsError::UnknownComponent(_) => Problem::not_found(error),
        EventsError::Busy { .. } => Problem::new(StatusCode::CONFLICT, error),
        _ => Problem::unavailable(error),
    }
}

fn summary(id: &ComponentId, stored: &StoredDeadLetter) -> Value {
    let letter = &stored.letter;
    json!({
        "component": id.component(),
        "id": stored.id,
        "kind": match letter.kind {
            DeadLetterKind::Incoming => "incoming",
            DeadLetterKind::Outgoing => "outgoing",
        },
        "subject": letter.event.subject,
        "event_id": letter.event.key.id,
        "source": letter.event.key.source,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "died_at": hull_clock::rfc3339(letter.died_at_ms),
    })
}

/// RFC 4648, with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_matches_the_rfc() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in vectors {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
