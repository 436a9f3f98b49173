//! The list of dead letters comes in pages; where the next one begins is the host's word, handed back as it came.

use anyhow::Context as _;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::admin::Call;
use crate::options::{Filter, LetterId};

/// As many are asked for at once.
pub(super) const PAGE_MAX: u32 = 100;

/// One answer of the host.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) dead_letters: Vec<Value>,
    #[serde(default)]
    pub(super) next: Option<Value>,
}

/// Where a page begins, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageStart {
    after: Option<String>,
    limit: u32,
}

/// The first page of a list of that many.
pub(super) fn first_page(wanted: u32) -> PageStart {
    PageStart { after: None, limit: wanted.min(PAGE_MAX) }
}

impl PageStart {
    /// The page after this one, if so many are still wanted and the host has moved on.
    pub(super) fn following(&self, next: Value, wanted: u32) -> Option<Self> {
        let after = match next {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let moved = self.after.as_deref() != Some(after.as_str());
        (moved && wanted > 0).then(|| Self { after: Some(after), limit: wanted.min(PAGE_MAX) })
    }
}

/// The request for a page.
pub(super) fn page_call(app: &str, filter: &Filter, start: &PageStart) -> Call {
    let Filter { component, subject, reason } = filter;
    let component = component.as_ref().map(ToString::to_string);
    let after = start.after.clone();
    let given =
        [("component", component), ("subject", subject.clone()), ("reason", reason.clone()), ("after", after)];
    let query = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let limit = ("limit", start.limit.to_string());
    Call::new(Method::GET, format!("{app}/dead-letters")).query(query.chain([limit]))
}

/// The id by which commands name a dead letter.
pub(super) fn id_of(letter: &Value) -> anyhow::Result<LetterId> {
    let component = letter.get("component").and_then(Value::as_str).and_then(|name| name.parse().ok());
    let number = letter.get("id").and_then(Value::as_u64);
    let id = component.zip(number).map(|(component, number)| LetterId { component, number });
    id.with_context(|| format!("the host lists a dead letter without a component or a number: {letter}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{PAGE_MAX, first_page, id_of};

    #[test]
    fn pages_follow_until_enough_or_until_the_host_stands_still() {
        let first = first_page(250);
        assert_eq!(first.limit, PAGE_MAX);
        let second = first.following(json!(100), 150).expect("more");
        assert_eq!((second.after.as_deref(), second.limit), (Some("100"), PAGE_MAX));
        let third = second.following(json!("orders/200"), 50).expect("more");
        assert_eq!((third.after.as_deref(), third.limit), (Some("orders/200"), 50));
        assert_eq!(third.following(json!(300), 0), None);
        assert_eq!(second.following(json!(100), 50), None);
        assert_eq!(first.following(json!(null), 50), None);
    }

    #[test]
    fn ids_name_component_and_number() {
        assert_eq!(id_of(&json!({ "component": "orders", "id": 3 })).expect("an id").to_string(), "orders/3");
        assert!(id_of(&json!({ "component": "../x", "id": 3 })).is_err());
        assert!(id_of(&json!({ "component": "orders" })).is_err());
    }
}
