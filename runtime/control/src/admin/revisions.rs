//! Deploying, going back, and what was deployed.

use std::time::Duration;

use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hull_dispatch::Body;
use hull_manifest::Name;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::AdminHost;
use super::answer::{Answer, Problem, json_ok, json_with};
use super::audit::{Did, audited, forced, revision_header};
use super::origins::write_origins;
use super::route::{Actor, Asked};
use crate::deployments::{DeploymentError, Deployments};
use crate::revisions::{Record, Removal};

/// Revisions on a page unless another number is asked for, and at the most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 1000;
/// How long a refused upload is read on.
const TAKE_REST_MAX: Duration = Duration::from_secs(5);
/// Why somebody went back, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;

impl From<DeploymentError> for Problem {
    fn from(error: DeploymentError) -> Self {
        let status = match error {
            DeploymentError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            DeploymentError::Conflict(_) => StatusCode::CONFLICT,
            DeploymentError::Missing(_) => StatusCode::NOT_FOUND,
            DeploymentError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            DeploymentError::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            DeploymentError::Unfinished(_) => StatusCode::INTERNAL_SERVER_ERROR,
            DeploymentError::Storage(_) => StatusCode::INSUFFICIENT_STORAGE,
        };
        Self::new(status, error)
    }
}

pub(super) async fn deploy(host: &AdminHost, app: &str, body: Incoming, actor: Actor) -> Answer {
    let asked = taken(host).and_then(|deployments| Ok((deployments, named(app)?)));
    let (deployments, app) = match asked {
        Ok(asked) => asked,
        Err(problem) => {
            take_rest(body).await;
            return Err(problem);
        }
    };
    let draft = match deployments.receive(body).await {
        Ok(draft) => draft,
        Err((error, rest)) => {
            if let Some(rest) = rest {
                take_rest(rest).await;
            }
            return Err(error.into());
        }
    };
    let did = Did::new(&actor, "deploy", app.as_str(), draft.head.message.clone());
    let sent: Vec<String> = draft.head.components.keys().cloned().collect();
    audited(&host.node, did, async {
        let record = deployments.deploy(app, draft, actor.name.to_string()).await?;
        write_origins(&host.node, &actor, &record, &sent).await?;
        if !record.forced.is_empty() {
            let detail = format!("revision {} breaks: {}", record.revision, record.forced.join("; "));
            forced(&host.node, &actor, &record.app, detail).await?;
        }
        Ok(committed(&record))
    })
    .await
}

/// Whoever is still sending would not read why they are refused; they get a moment to come to the end.
async fn take_rest(mut body: Incoming) {
    let taking = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whatever comes of it, the refusal follows.
    let _ = tokio::time::timeout(TAKE_REST_MAX, taking).await;
}

pub(super) async fn roll_back(host: &AdminHost, app: &str, asked: &Asked, actor: Actor) -> Answer {
    let (deployments, app) = (taken(host)?, named(app)?);
    let to = asked.query.get("revision").map(|text| number("revision", text)).transpose()?;
    let message = asked.query.get("message").cloned().unwrap_or_default();
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Problem::bad_request(format!("`message` has more than {MESSAGE_BYTES_MAX} bytes")));
    }
    let wanted = to.map_or("the revision before".to_owned(), |revision| format!("revision {revision}"));
    let did = Did::new(&actor, "rollback", app.as_str(), format!("to {wanted}: {message}"));
    audited(&host.node, did, async {
        let record = deployments.roll_back(app, to, message, actor.name.to_string()).await?;
        Ok(committed(&record))
    })
    .await
}

pub(super) async fn remove(host: &AdminHost, app: &str, asked: &Asked, actor: Actor) -> Answer {
    let (deployments, app) = (taken(host)?, named(app)?);
    let removal = if is_purge(asked.head.uri.query()) { Removal::Purged } else { Removal::Kept };
    let (action, left) = match removal {
        Removal::Kept => ("remove", "its data stays"),
        Removal::Purged => ("remove --purge", "with its data and its revisions"),
    };
    audited(&host.node, Did::new(&actor, action, app.as_str(), left.to_owned()), async {
        deployments.remove(app.clone(), removal).await?;
        json_ok(&json!({ "app": app.as_str(), "purged": removal == Removal::Purged }))
    })
    .await
}

/// Whether everything is to go.
pub(super) fn is_purge(query: Option<&str>) -> bool {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .any(|(key, value)| key == "purge" && value == "true")
}

pub(super) async fn history(host: &AdminHost, app: &str, asked: &Asked) -> Answer {
    let (deployments, app) = (taken(host)?, named(app)?);
    let before = asked.query.get("before").map(|text| number("before", text)).transpose()?;
    let limit = asked.query.get("limit").map(|text| number("limit", text)).transpose()?;
    let limit = limit.map_or(PAGE, |limit| usize::try_from(limit).unwrap_or(PAGE_MAX)).clamp(1, PAGE_MAX);
    let records = deployments.history(app.clone(), before, limit).await?;
    if records.is_empty() && before.is_none() {
        return Err(Problem::not_found(format!("app {app} was never deployed")));
    }
    let next = records.last().map(|oldest| oldest.revision).filter(|oldest| *oldest > 1 && records.len() == limit);
    let shown: Vec<Value> = records.iter().map(shown).collect();
    json_ok(&json!({ "revisions": shown, "next": next }))
}

pub(super) async fn show(host: &AdminHost, app: &str, revision: &str) -> Answer {
    let (deployments, app) = (taken(host)?, named(app)?);
    let revision = if revision == "current" { None } else { Some(number("revision", revision)?) };
    let (record, manifest) = deployments.revision(app, revision).await?;
    let mut value = shown(&record);
    value["manifest_text"] = manifest.into();
    json_ok(&value)
}

/// Only a daemon keeps revisions.
pub(super) fn taken(host: &AdminHost) -> Result<&std::sync::Arc<Deployments>, Problem> {
    let detail = "this host runs one app from a file (`hull up`) and takes no deployments; start one with `hull host`";
    host.deployments.as_ref().ok_or_else(|| Problem::new(StatusCode::CONFLICT, detail))
}

pub(super) fn named(app: &str) -> Result<Name, Problem> {
    app.parse().map_err(|_| Problem::not_found(format!("{app:?} cannot be the name of an app")))
}

fn number(key: &str, text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::bad_request(format!("`{key}` is not a number")))
}

fn committed(record: &Record) -> Response<Body> {
    let mut answer = json_with(StatusCode::CREATED, &shown(record));
    let (name, value) = revision_header(record.revision);
    answer.headers_mut().insert(name, value);
    answer
}

fn shown(record: &Record) -> Value {
    serde_json::to_value(record).unwrap_or_default()
}
