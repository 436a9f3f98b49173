//! Health: liveness depends on nothing but this process; readiness on what it needs to serve.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answer, json_ok, json_with};
use crate::deployments::Deployments;
use crate::node::Node;

/// The bus must say how it is within this.
const BUS_TIME: Duration = Duration::from_millis(800);

pub(super) fn live() -> Answer {
    json_ok(&json!({ "status": "ok", "parts": { "process": { "status": "ok" } } }))
}

pub(super) async fn ready(node: &Node, deployments: Option<&Deployments>) -> Answer {
    let mut parts = Map::new();
    let deploying = node.deploying.try_lock().is_err();
    let deployed = match node.apps.read().await.len() {
        _ if node.is_stopping() => failing("the host is stopping"),
        0 if deploying => failing("the first deployment is under way"),
        // A daemon has whatever it is given, and may be given nothing yet.
        0 if deployments.is_none() => failing("no app is deployed"),
        count => json!({ "status": "ok", "detail": format!("{count} deployed") }),
    };
    parts.insert("apps".to_owned(), deployed);
    for (app, why) in deployments.map(Deployments::unrestored).unwrap_or_default() {
        parts.insert(format!("app {app}"), failing(&format!("it could not be brought back: {why}")));
    }
    let bus = match tokio::time::timeout(BUS_TIME, node.bus().status()).await {
        Ok(status) => match status.problem {
            None => json!({ "status": "ok" }),
            Some(problem) => failing(&problem),
        },
        Err(_) => failing("it does not answer"),
    };
    parts.insert("bus".to_owned(), bus);
    let all_ok = parts.values().all(|part| part["status"] == "ok");
    let (status, word) = if all_ok { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failing") };
    Ok(json_with(status, &json!({ "status": word, "parts": parts })))
}

fn failing(detail: &str) -> Value {
    json!({ "status": "failing", "detail": detail })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;
    use http_body_util::BodyExt;

    use super::{live, ready};
    use crate::node::Node;
    use crate::node::test_node::node_in;

    async fn not_ready(node: &Node, because: &str) {
        let answer = ready(node, None).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains(because), "{because:?} in {text}");
        assert_eq!(live().expect("an answer").status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_host_is_not_ready_before_the_first_deployment_nor_when_it_stops() {
        let folder = tempfile::tempdir().expect("a folder");
        let node = node_in(folder.path()).await;
        not_ready(&node, "no app is deployed").await;
        let deploying = Arc::clone(&node.deploying).lock_owned().await;
        not_ready(&node, "the first deployment is under way").await;
        drop(deploying);
        node.announce_stop();
        not_ready(&node, "the host is stopping").await;
    }
}
