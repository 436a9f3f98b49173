//! A rollout: what it is at, and what is to become of it.

use serde_json::json;

use super::AdminHost;
use super::answer::{Answer, Problem, json_ok};
use super::audit::{Did, audited};
use super::revisions::{named, taken};
use super::route::Actor;
use crate::rollouts::Word;

pub(super) fn status(host: &AdminHost, app: &str) -> Answer {
    let (deployments, app) = (taken(host)?, named(app)?);
    let running = deployments.running().filter(|running| running.app == app).map(|running| running.status());
    let last = deployments.last_rollouts.lock().get(&app).cloned();
    json_ok(&json!({ "running": running, "last": last }))
}

pub(super) async fn say(host: &AdminHost, app: &str, word: &str, actor: Actor) -> Answer {
    let (deployments, app) = (taken(host)?, named(app)?);
    let said = match word {
        "promote" => Word::Promote,
        "abort" => Word::Abort,
        "pause" => Word::Pause,
        "resume" => Word::Resume,
        _ => return Err(Problem::not_found("a rollout can be promoted, aborted, paused and resumed")),
    };
    let did = Did::new(&actor, &format!("rollout {word}"), app.as_str(), String::new());
    audited(&host.node, did, async {
        deployments.say(&app, said, &actor.name).await?;
        status(host, app.as_str())
    })
    .await
}
