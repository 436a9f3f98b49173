//! Two answers to one request, field by field.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LOCATION, SET_COOKIE, VARY, WWW_AUTHENTICATE};
use serde_json::Value;

/// Differences of one pair that are told; more are more of the same.
const DIFFERENCES_MAX: usize = 16;
/// How deep JSON is looked into.
const DEPTH_MAX: usize = 32;
/// What is shown of a value, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// An answer, all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A field that the two have otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// `status`, `header location`, `body`, or a JSON pointer with `*` for places in lists: `/items/*/price`.
    pub(super) field: String,
    pub(super) old: String,
    pub(super) new: String,
}

/// Everything that differs, but what is to be ignored.
pub(super) fn compare(old: &Answered, new: &Answered, ignore: &[String]) -> Vec<Difference> {
    let mut found = Found { ignore, differences: Vec::new() };
    found.note("status", &old.status.to_string(), &new.status.to_string());
    for name in [CONTENT_TYPE, LOCATION, CACHE_CONTROL, CONTENT_ENCODING, ETAG, VARY, WWW_AUTHENTICATE, SET_COOKIE] {
        let values = |answer: &Answered| {
            let lines = answer.headers.get_all(&name).iter();
            lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect::<Vec<_>>().join(", ")
        };
        found.note(&format!("header {name}"), &values(old), &values(new));
    }
    match (json(old), json(new)) {
        (Some(old), Some(new)) => found.values("", &old, &new, 0),
        _ if old.body == new.body => {}
        _ => found.note("body", &bytes(&old.body), &bytes(&new.body)),
    }
    found.differences
}

struct Found<'a> {
    ignore: &'a [String],
    differences: Vec<Difference>,
}

impl Found<'_> {
    fn note(&mut self, field: &str, old: &str, new: &str) {
        let known = |difference: &Difference| difference.field == field;
        if old == new
            || self.differences.len() >= DIFFERENCES_MAX
            || self.ignore.iter().any(|ignored| ignored == field)
            || self.differences.iter().any(known)
        {
            return;
        }
        self.differences.push(Difference { field: field.to_owned(), old: shown(old), new: shown(new) });
    }

    fn values(&mut self, path: &str, old: &Value, new: &Value, depth: usize) {
        if old == new || depth > DEPTH_MAX || self.ignore.iter().any(|ignored| ignored == path) {
            return;
        }
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                let both = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
                for key in both {
                    let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                    match (old.get(key), new.get(key)) {
                        (Some(old), Some(new)) => self.values(&path, old, new, depth + 1),
                        (Some(old), None) => self.note(&path, &old.to_string(), "(not there)"),
                        (None, Some(new)) => self.note(&path, "(not there)", &new.to_string()),
                        (None, None) => {}
                    }
                }
            }
            (Value::Array(old), Value::Array(new)) => {
                if old.len() != new.len() {
                    self.note(&format!("{path}/length"), &old.len().to_string(), &new.len().to_string());
                }
                for (old, new) in old.iter().zip(new) {
                    self.values(&format!("{path}/*"), old, new, depth + 1);
                }
            }
            _ => self.note(if path.is_empty() { "body" } else { path }, &old.to_string(), &new.to_string()),
        }
    }
}

fn json(answer: &Answered) -> Option<Value> {
    let kind = answer.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind != "application/json" && !kind.ends_with("+json") {
        return None;
    }
    serde_json::from_slice(&answer.body).ok()
}

fn bytes(body: &Bytes) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("({} bytes)", body.len()),
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::{Value, json};

    use super::{Answered, compare};

    fn answer(status: u16, body: &Value) -> Answered {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json; charset=utf-8".parse().expect("a value"));
        Answered { status, headers, body: body.to_string().into() }
    }

    fn differences(old: &Answered, new: &Answered, ignore: &[&str]) -> Vec<String> {
        let ignore: Vec<String> = ignore.iter().map(|field| (*field).to_owned()).collect();
        let found = compare(old, new, &ignore).into_iter();
        found.map(|one| format!("{}: {} -> {}", one.field, one.old, one.new)).collect()
    }

    #[test]
    fn json_is_compared_by_its_fields_and_not_by_its_text() {
        let old = answer(200, &json!({ "a": 1, "items": [{ "id": 1, "p": 2.5 }, { "id": 2, "p": 3 }], "gone": null }));
        let mut same = old.clone();
        same.body = r#"{ "items": [{"p":2.5, "id":1},{"id":2,"p":3}], "gone":null, "a":1 }"#.into();
        assert!(differences(&old, &same, &[]).is_empty());
        let new =
            answer(201, &json!({ "a": "1", "items": [{ "id": 1, "p": 9 }, { "id": 7, "p": 8 }, {}], "x/y": true }));
        let mut found = differences(&old, &new, &["/a"]);
        found.sort_unstable();
        let mut expected = [
            "status: 200 -> 201",
            "/gone: null -> (not there)",
            "/items/length: 2 -> 3",
            "/items/*/p: 2.5 -> 9",
            "/items/*/id: 2 -> 7",
            "/x~1y: (not there) -> true",
        ];
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert!(differences(&old, &new, &["/a", "/items", "/gone", "/x~1y", "status"]).is_empty());
    }

    #[test]
    fn other_bodies_and_headers_are_compared_as_they_are() {
        let mut old = answer(200, &json!(1));
        old.headers.insert("content-type", "text/plain".parse().expect("a value"));
        old.headers.insert("date", "today".parse().expect("a value"));
        let mut new = old.clone();
        new.headers.insert("date", "tomorrow".parse().expect("a value"));
        assert!(differences(&old, &new, &[]).is_empty(), "only chosen headers count");
        new.headers.insert("location", "/elsewhere".parse().expect("a value"));
        new.body = "x".repeat(1000).into();
        let found = differences(&old, &new, &[]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], "header location:  -> /elsewhere");
        assert!(found[1].starts_with("body: 1 -> xxx") && found[1].len() < 200);
    }
}
