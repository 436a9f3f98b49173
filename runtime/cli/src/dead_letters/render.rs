//! Dead letters for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::options::LetterId;
use crate::table;
use crate::terminal::harmless;

/// More of a reason is shown by `show`.
const REASON_CHARS_MAX: usize = 60;

/// A line for each.
pub(super) fn list(letters: &[Value]) -> String {
    if letters.is_empty() {
        return "there are none\n".to_owned();
    }
    let row = |letter: &Value| {
        let reason = text(letter, "reason");
        let mut short: String = reason.chars().take(REASON_CHARS_MAX).collect();
        if short.len() < reason.len() {
            short.push('…');
        }
        [
            format!("{}/{}", text(letter, "component"), text(letter, "id")),
            text(letter, "kind"),
            text(letter, "subject"),
            text(letter, "attempts"),
            text(letter, "died_at"),
            short,
        ]
    };
    let rows: Vec<_> = letters.iter().map(row).collect();
    table::render(["ID", "KIND", "SUBJECT", "ATTEMPTS", "SINCE", "REASON"], &rows)
}

/// All of one: what is known of it, its headers, and its payload.
pub(super) fn one(letter: &Value) -> String {
    let mut shown = String::new();
    line(&mut shown, "id", &format!("{}/{}", text(letter, "component"), text(letter, "id")));
    for (label, key) in [
        ("kind", "kind"),
        ("subject", "subject"),
        ("event", "event_id"),
        ("source", "source"),
        ("time", "time"),
        ("attempts", "attempts"),
        ("since", "died_at"),
        ("reason", "reason"),
    ] {
        line(&mut shown, label, &text(letter, key));
    }
    let headers = letter.get("headers").and_then(Value::as_array);
    for header in headers.into_iter().flatten() {
        let part = |index: usize| header.get(index).and_then(Value::as_str).unwrap_or_default();
        line(&mut shown, "header", &format!("{}: {}", harmless(part(0)), harmless(part(1))));
    }
    let payload = match (letter.get("payload_text"), letter.get("payload_base64")) {
        (Some(Value::String(payload)), _) => harmless_lines(payload),
        (_, Some(Value::String(payload))) => format!("(base64) {}", harmless(payload)),
        _ => String::new(),
    };
    shown + "\n" + payload.trim_end_matches('\n') + "\n"
}

fn line(shown: &mut String, label: &str, value: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(shown, "{label:9} {value}");
}

/// What became of one.
pub(super) fn outcome(letter: &LetterId, outcome: &Value) -> String {
    let detail = text(outcome, "detail");
    let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
    format!("{letter} {}{detail}\n", text(outcome, "outcome"))
}

fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value::String(text)) => harmless(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A payload may have several lines; nothing else in it drives the terminal.
fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{list, one, outcome};

    fn letter() -> Value {
        json!({
            "component": "orders", "id": 3, "kind": "incoming", "subject": "payments.charged", "event_id": "e1",
            "source": "/shop/payments", "reason": format!("no such order\u{1b} {}", "x".repeat(80)), "attempts": 5,
            "died_at": "2025-01-01T00:00:00Z", "headers": [["ce-type", "payments.charged"]],
            "payload_base64": "eyJhIjoxfQ==", "payload_text": "{\"a\":1}\n",
        })
    }

    #[test]
    fn a_list_has_ids_to_go_on_with() {
        let text = list(&[letter()]);
        let line = text.lines().nth(1).expect("a row");
        assert!(line.starts_with("orders/3  incoming  payments.charged  5         2025-01-01T00:00:00Z"), "{line}");
        assert!(line.contains("no such order\u{fffd}") && line.ends_with('…'), "{line}");
        assert_eq!(list(&[]), "there are none\n");
    }

    #[test]
    fn one_is_shown_with_headers_and_payload() {
        let text = one(&letter());
        assert!(text.starts_with("id        orders/3\n"), "{text}");
        assert!(text.contains("\nheader    ce-type: payments.charged\n"), "{text}");
        assert!(text.ends_with("\n\n{\"a\":1}\n"), "{text}");
        let bytes = json!({ "payload_text": null, "payload_base64": "/w==" });
        assert!(one(&bytes).ends_with("(base64) /w==\n"));
    }

    #[test]
    fn outcomes_name_the_letter() {
        let letter = "orders/3".parse().expect("an id");
        assert_eq!(outcome(&letter, &json!({ "outcome": "purged" })), "orders/3 purged\n");
        assert_eq!(outcome(&letter, &json!({ "outcome": "reject", "detail": "why" })), "orders/3 reject: why\n");
    }
}
