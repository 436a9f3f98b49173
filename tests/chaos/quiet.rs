//! Waiting until nothing is on its way any more: no event that somebody has not handled, none in an outbox.

use std::time::Duration;

use hull_tests::host::Host;
use hull_tests::wait;
use serde_json::Value;

/// Wait for it; an error says what is left.
pub(crate) fn wait(host: &Host, limit: Duration) -> anyhow::Result<()> {
    let mut left = Vec::new();
    let quiet = wait::until_within(limit, "all events to be handled", || {
        left = rest(&host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?);
        Ok(left.is_empty().then_some(()))
    });
    quiet.map_err(|error| error.context(format!("left: {}", left.join(", "))))
}

/// What is on its way, in words.
fn rest(told: &Value) -> Vec<String> {
    let components = told["components"].as_array().into_iter().flatten();
    components.flat_map(of_component).collect()
}

fn of_component(component: &Value) -> Vec<String> {
    let name = component["component"].as_str().unwrap_or_default();
    let mut left = Vec::new();
    // A database that cannot say how much there is counts as one that holds something.
    let outbox = component["storage"]["outbox"].as_u64();
    if outbox != Some(0) {
        left.push(format!("outbox of {name}: {outbox:?}"));
    }
    for subscription in component["subscriptions"].as_array().into_iter().flatten() {
        let count = |key: &str| subscription[key].as_u64().unwrap_or(1);
        let waiting = count("backlog") + count("in_flight");
        if waiting > 0 {
            left.push(format!("{name} {}: {waiting}", subscription["pattern"].as_str().unwrap_or_default()));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::rest;

    #[test]
    fn whatever_is_on_its_way_is_told() {
        let component = |outbox, backlog, in_flight| {
            json!({"components": [{"component": "orders", "storage": {"outbox": outbox},
                "subscriptions": [{"pattern": "payments.*", "backlog": backlog, "in_flight": in_flight}]}]})
        };
        assert!(rest(&component(Some(0), 0, 0)).is_empty());
        assert_eq!(rest(&component(Some(2), 0, 0)), ["outbox of orders: Some(2)"]);
        assert_eq!(rest(&component(None, 0, 0)), ["outbox of orders: None"]);
        assert_eq!(rest(&component(Some(0), 1, 2)), ["orders payments.*: 3"]);
    }
}
