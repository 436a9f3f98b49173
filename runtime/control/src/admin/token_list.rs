//! Giving tokens to others, and taking them back.

use http::StatusCode;
use serde_json::{Value, json};

use super::AdminHost;
use super::answer::{Answer, Problem, json_ok, json_with, no_content};
use super::audit::{Did, audited};
use super::revisions::named;
use super::route::{Actor, Asked};
use super::tokens::{Role, Tokens};

pub(super) fn list(host: &AdminHost) -> Answer {
    let one = |(name, token): (String, super::tokens::Named)| json!({ "name": name, "role": token.role, "made_at": token.made_at, "made_by": token.made_by });
    let tokens: Vec<Value> = kept(host)?.list().into_iter().map(one).collect();
    json_ok(&json!({ "tokens": tokens }))
}

pub(super) async fn add(host: &AdminHost, name: &str, asked: &Asked, actor: Actor) -> Answer {
    let (tokens, name) = (kept(host)?, named(name)?);
    let role = asked.query.get("role").map_or("read", String::as_str);
    let role: Role = role.parse().map_err(Problem::bad_request)?;
    let did = Did::new(&actor, "token add", "", format!("{name} with role {role}"));
    audited(&host.node, did, async {
        let by = actor.name.clone();
        let text = tokens.add(name.clone(), role, &by).map_err(|why| Problem::new(StatusCode::CONFLICT, why))?;
        Ok(json_with(StatusCode::CREATED, &json!({ "name": name.as_str(), "role": role, "token": text })))
    })
    .await
}

pub(super) async fn remove(host: &AdminHost, name: &str, actor: Actor) -> Answer {
    let (tokens, name) = (kept(host)?, named(name)?);
    let did = Did::new(&actor, "token remove", "", name.to_string());
    audited(&host.node, did, async {
        tokens.remove(&name).map_err(Problem::not_found)?;
        no_content()
    })
    .await
}

/// A socket's own permissions say who is let in.
fn kept(host: &AdminHost) -> Result<&Tokens, Problem> {
    let detail = "the admin address is a socket, which asks for no token";
    host.tokens.as_ref().ok_or_else(|| Problem::new(StatusCode::CONFLICT, detail))
}
