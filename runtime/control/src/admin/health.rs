//! Health: liveness depends on nothing but this process; readiness on what it needs to serve.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answer, json_ok, json_with};
use crate::node::Node;

/// The bus must say how it is within this.
const BUS_TIME: Duration = Duration::from_millis(800);

pub(super) fn live() -> Answer {
    json_ok(&json!({ "status": "ok", "parts": { "process": { "status": "ok" } } }))
}

pub(super) async fn ready(node: &Node) -> Answer {
    let mut parts = Map::new();
    let deploying = node.deploying.try_lock().is_err();
    let deployed = match node.apps.read().await.len() {
        _ if node.is_stopping() => failing("the host is stopping"),
        0 if deploying => failing("the first deployment is under way"),
        0 => failing("no app is deployed"),
        count => json!({ "status": "ok", "detail": format!("{count} deployed") }),
    };
    parts.insert("apps".to_owned(), deployed);
    let bus = match tokio::time::timeout(BUS_TIME, node.bus().status()).await {
        Ok(status) => match status.problem {
            None => json!({ "status": "ok" }),
            Some(problem) => failing(&problem),
        },
        Err(_) => failing("it does not answer"),
    };
    parts.insert("bus".to_owned(), bus);
    let all_ok = parts.values().all(|part| part["status"] == "ok");
    let (status, word) = match all_ok {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    Ok(json_with(status, &json!({ "status": word, "parts": parts })))
}

fn failing(detail: &str) -> Value {
    json!({ "status": "failing", "detail": detail })
}
