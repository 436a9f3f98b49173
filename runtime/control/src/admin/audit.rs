//! Writing down what is changed here and who was denied, and showing it.

use std::sync::Arc;

use http::{HeaderValue, Request, StatusCode};
use serde_json::json;

use super::answer::{Answer, Problem, json_ok};
use super::route::{Actor, Asked};
use crate::audit::{AuditError, Happening};
use crate::node::Node;

/// Entries unless another number is asked for, and at the most.
const ENTRIES: usize = 50;
const ENTRIES_MAX: usize = 1000;

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, error)
    }
}

/// What somebody is about to do.
pub(super) struct Did(Happening);

impl Did {
    pub(super) fn new(actor: &Actor, action: &str, app: &str, detail: String) -> Self {
        let (by, from) = (actor.name.to_string(), actor.from.to_string());
        Self(Happening { by, from, action: action.to_owned(), app: app.to_owned(), detail, result: String::new() })
    }

    fn result(&self, result: &str) -> Happening {
        Happening { result: result.to_owned(), ..self.0.clone() }
    }
}

/// Do it: that it begins is on disk before, and what came of it afterwards. What cannot be written down is not done.
pub(super) async fn audited(node: &Arc<Node>, did: Did, work: impl Future<Output = Answer>) -> Answer {
    node.audit.write(did.result("begun")).await?;
    // Whoever asked may go away meanwhile, and what was begun ends all the same.
    let mut ending = Ending { node: Arc::clone(node), did: Some(did) };
    let answer = work.await;
    let Some(did) = ending.did.take() else { return answer };
    let end = match &answer {
        Ok(response) => response.headers().get(REVISION).and_then(|value| value.to_str().ok()).map_or_else(
            || did.result("done"),
            |revision| Happening { detail: format!("revision {revision}; {}", did.0.detail), ..did.result("done") },
        ),
        Err(problem) => Happening { detail: problem.detail().to_owned(), ..did.result("failed") },
    };
    if let Err(error) = node.audit.write(end).await {
        tracing::error!(%error, "what came of a change could not be written down");
    }
    answer
}

/// Somebody has deployed what breaks others, and was told so.
pub(super) async fn forced(node: &Node, actor: &Actor, app: &str, detail: String) -> Result<(), AuditError> {
    let (by, from) = (actor.name.to_string(), actor.from.to_string());
    let (action, result) = ("deploy --force".to_owned(), "forced past contracts".to_owned());
    node.audit.write(Happening { by, from, action, app: app.to_owned(), detail, result }).await
}

/// The revision that an answer is about.
const REVISION: &str = "x-hull-revision";

/// Names the revision in an answer.
pub(super) fn revision_header(revision: u64) -> (&'static str, HeaderValue) {
    (REVISION, HeaderValue::from(revision))
}

/// Writes down that nobody waited for the end.
struct Ending {
    node: Arc<Node>,
    did: Option<Did>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Some(did) = self.did.take() else { return };
        let node = Arc::clone(&self.node);
        tokio::spawn(async move {
            if let Err(error) = node.audit.write(did.result("left alone by who began it")).await {
                tracing::error!(%error, "the end of a change could not be written down");
            }
        });
    }
}

/// Somebody showed no token, or a wrong one, or one without the right.
pub(super) async fn denied<B>(node: &Node, request: &Request<B>, by: &str, from: &str) {
    let detail = format!("{} {}", request.method(), request.uri().path());
    let (action, result) = ("request".to_owned(), "denied".to_owned());
    let (by, app) = (by.to_owned(), String::new());
    node.audit.write_denied(Happening { by, from: from.to_owned(), action, app, detail, result }).await;
}

pub(super) async fn list(node: &Node, asked: &Asked) -> Answer {
    let limit = match asked.query.get("limit") {
        None => ENTRIES,
        Some(text) => text.parse().map_err(|_| Problem::bad_request("`limit` is not a number"))?,
    };
    let entries = node.audit.last(limit.clamp(1, ENTRIES_MAX)).await?;
    json_ok(&json!({ "entries": entries }))
}

pub(super) async fn verify(node: &Node) -> Answer {
    let report = node.audit.verify().await?;
    json_ok(&json!(report))
}
