//! The list of dead letters comes in pages; where the next one begins is the host's word, handed back as it came.

use anyhow::Context as _;
use http::Method;
use hull_manifest::Name;
use serde::Deserialize;
use serde_json::Value;

use crate::admin::{Call, Client};
use crate::options::{Filter, LetterId};

/// As many are asked for at once.
const PAGE_MAX: usize = 100;

/// One answer of the host.
#[derive(Debug, Deserialize)]
struct Page {
    dead_letters: Vec<Value>,
    #[serde(default)]
    next: Option<Value>,
}

/// Where a page begins, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PageStart {
    after: Option<String>,
    limit: usize,
}

/// At most so many of the dead letters that the filter leaves.
pub(super) async fn fetch(client: &Client, app: &str, filter: &Filter, wanted: usize) -> anyhow::Result<Vec<Value>> {
    // They are numbered per component, so that only the list of one can be continued.
    let components = match &filter.component {
        Some(component) => vec![component.clone()],
        None => client.components_of(app).await?,
    };
    let mut letters: Vec<Value> = Vec::new();
    for component in components {
        let mut next = PageStart::first(wanted.saturating_sub(letters.len()));
        while let Some(start) = next {
            let page: Page = client.json(page_call(app, &component, filter, &start)).await?;
            let got = page.dead_letters.len();
            letters.extend(page.dead_letters);
            let missing = wanted.saturating_sub(letters.len());
            // A page without letters ends the list, whatever else it says.
            next = page.next.filter(|_| got > 0).and_then(|next| start.following(next, missing));
        }
    }
    Ok(letters)
}

impl PageStart {
    /// The first page of a list of that many.
    fn first(wanted: usize) -> Option<Self> {
        (wanted > 0).then(|| Self { after: None, limit: wanted.min(PAGE_MAX) })
    }

    /// The page after this one, if so many are still wanted and the host has moved on.
    fn following(&self, next: Value, wanted: usize) -> Option<Self> {
        let after = match next {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let moved = self.after.as_deref() != Some(after.as_str());
        (moved && wanted > 0).then(|| Self { after: Some(after), limit: wanted.min(PAGE_MAX) })
    }
}

fn page_call(app: &str, component: &Name, filter: &Filter, start: &PageStart) -> Call {
    let given = [("subject", &filter.subject), ("reason", &filter.reason), ("after", &start.after)];
    let given = given.into_iter().filter_map(|(key, value)| Some((key, value.clone()?)));
    let always = [("component", component.to_string()), ("limit", start.limit.to_string())];
    Call::new(Method::GET, format!("{app}/dead-letters")).query(always.into_iter().chain(given))
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

    use super::{PAGE_MAX, PageStart, id_of};

    #[test]
    fn pages_follow_until_enough_or_until_the_host_stands_still() {
        let first = PageStart::first(250).expect("a page");
        assert_eq!(first.limit, PAGE_MAX);
        let second = first.following(json!(100), 150).expect("more");
        assert_eq!((second.after.as_deref(), second.limit), (Some("100"), PAGE_MAX));
        let third = second.following(json!("orders/200"), 50).expect("more");
        assert_eq!((third.after.as_deref(), third.limit), (Some("orders/200"), 50));
        assert_eq!(third.following(json!(300), 0), None);
        assert_eq!(second.following(json!(100), 50), None);
        assert_eq!(first.following(json!(null), 50), None);
        assert_eq!(PageStart::first(0), None);
    }

    #[test]
    fn ids_name_component_and_number() {
        assert_eq!(id_of(&json!({ "component": "orders", "id": 3 })).expect("an id").to_string(), "orders/3");
        assert!(id_of(&json!({ "component": "../x", "id": 3 })).is_err());
        assert!(id_of(&json!({ "component": "orders" })).is_err());
    }
}
