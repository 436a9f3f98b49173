//! Which request is for whom, and who may ask.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hull_dispatch::Body;
use hull_invocation::ComponentId;
use hyper::body::Incoming;

use super::answer::{Answer, Problem, json_ok, with_body};
use super::tokens::{Role, Tokens};
use super::{
    AdminHost, audit, components, dead_letters, events, flags, health, invoke, logs, openapi, revisions, rollout, tail,
    token_list,
};
use crate::node::Node;
use crate::node::resources;

/// The largest body that is taken, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Who asks: the name of a token, or how else they were let in.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub(super) name: Arc<str>,
    pub(super) from: Arc<str>,
}

/// A request with its path taken apart.
pub(super) struct Asked {
    pub(super) head: http::request::Parts,
    pub(super) query: HashMap<String, String>,
    pub(super) body: Bytes,
}

/// Answer one request. Nothing in here fails: a problem is an answer too.
pub(super) async fn answer(
    host: &AdminHost,
    request: Request<Incoming>,
    from: Arc<str>,
) -> Result<Response<Body>, Infallible> {
    Ok(route(host, request, from).await.unwrap_or_else(Problem::into_response))
}

async fn route(host: &AdminHost, request: Request<Incoming>, from: Arc<str>) -> Answer {
    let node = &host.node;
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET {
        match path.as_str() {
            "/healthz/live" => return health::live(),
            "/healthz/ready" => return health::ready(node, host.deployments.as_deref()).await,
            "/metrics" => {
                node.note_cpu().await;
                resources::measure_all(node).await;
                let text = node.metrics().render();
                return Ok(with_body(StatusCode::OK, "text/plain; version=0.0.4", text));
            }
            _ => {}
        }
    }
    let Some(rest) = path.strip_prefix("/v1/") else {
        return Err(Problem::not_found("see /v1/openapi.json, /healthz/live, /healthz/ready and /metrics"));
    };
    // What one may is decided by the same words as what is done.
    let segments: Result<Vec<String>, Problem> = rest.split('/').map(decoded).collect();
    let segments = segments?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let actor = match authorise(host.tokens.as_ref(), &request, &segments) {
        Ok(name) => Actor { name, from },
        Err((by, problem)) => {
            audit::denied(node, &request, &by, &from).await;
            return Err(problem);
        }
    };
    let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let query = query.into_owned().collect();
    let (head, body) = request.into_parts();
    if let (&Method::POST, ["apps", app, "revisions"]) = (&head.method, segments.as_slice()) {
        // Larger than what is held in memory.
        return revisions::deploy(host, app, body, actor).await;
    }
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let too_large = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body ended early or is larger than 16 MiB");
    let body = body.map_err(too_large)?.to_bytes();
    v1(host, &segments, Asked { head, query, body }, actor).await
}

/// Who asks. Whoever may not is named as well, as far as they are known.
fn authorise<B>(tokens: Option<&Tokens>, request: &Request<B>, path: &[&str]) -> Result<Arc<str>, (Arc<str>, Problem)> {
    let Some(tokens) = tokens else { return Ok("socket".into()) };
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = header.and_then(|value| value.strip_prefix("Bearer "));
    let Some((name, role)) = presented.and_then(|presented| tokens.known(presented.trim())) else {
        let detail = "send `Authorization: Bearer TOKEN`; the token of this machine is in STATE_DIR/admin-token";
        return Err(("nobody".into(), Problem::new(StatusCode::UNAUTHORIZED, detail)));
    };
    let needed = needed(request.method(), path, request.uri().query());
    if role >= needed {
        return Ok(name);
    }
    let detail = format!("the token {name} has the role {role}, and this needs {needed}");
    Err((name, Problem::new(StatusCode::FORBIDDEN, detail)))
}

/// What one must be to ask for that.
fn needed(method: &Method, path: &[&str], query: Option<&str>) -> Role {
    match path.first() {
        Some(&"tokens") => Role::Admin,
        // What is purged does not come back by a deployment.
        _ if *method == Method::DELETE && revisions::is_purge(query) => Role::Admin,
        _ if matches!(*method, Method::GET | Method::HEAD) => Role::Read,
        _ => Role::Deploy,
    }
}

async fn v1(host: &AdminHost, segments: &[&str], asked: Asked, actor: Actor) -> Answer {
    let node = &host.node;
    let method = asked.head.method.clone();
    match (&method, segments) {
        (&Method::GET, ["openapi.json"]) => json_ok(&openapi::document()),
        (&Method::GET, ["apps"]) => components::apps(node).await,
        (&Method::GET, ["audit"]) => audit::list(node, &asked).await,
        (&Method::GET, ["audit", "verify"]) => audit::verify(node).await,
        (&Method::GET, ["tokens"]) => token_list::list(host),
        (&Method::POST, ["tokens", name]) => token_list::add(host, name, &asked, actor).await,
        (&Method::DELETE, ["tokens", name]) => token_list::remove(host, name, actor).await,
        (&Method::GET, ["components"]) => components::components(node).await,
        (&Method::DELETE, ["apps", app]) => revisions::remove(host, app, &asked, actor).await,
        (&Method::GET, ["apps", app, "logs"]) => logs::logs(node, app, &asked).await,
        (&Method::GET, ["apps", app, "events"]) => tail::tail(node, app, &asked).await,
        (&Method::POST, ["apps", app, "events", subject]) => events::publish(node, app, subject, asked).await,
        (&Method::GET, ["apps", app, "flags"]) => flags::list(node, app).await,
        (&Method::PUT, ["apps", app, "flags", variable]) => flags::set(node, app, variable, &asked, actor).await,
        (&Method::DELETE, ["apps", app, "flags", variable]) => flags::unset(node, app, variable, &asked, actor).await,
        (&Method::GET, ["apps", app, "revisions"]) => revisions::history(host, app, &asked).await,
        (&Method::GET, ["apps", app, "revisions", revision]) => revisions::show(host, app, revision).await,
        (&Method::GET, ["apps", app, "rollout"]) => rollout::status(host, app),
        (&Method::POST, ["apps", app, "rollout", word]) => rollout::say(host, app, word, actor).await,
        (&Method::POST, ["apps", app, "rollback"]) => revisions::roll_back(host, app, &asked, actor).await,
        (&Method::GET, ["apps", app, "dead-letters"]) => dead_letters::list(node, app, &asked).await,
        (&Method::POST, ["apps", app, "components", component, "invoke"]) if asked.query.contains_key("preview") => {
            invoke::preview(host, app, component, asked).await
        }
        (_, ["apps", app, "components", component, rest @ ..]) => {
            let id = known(node, app, component).await?;
            match (&method, rest) {
                (&Method::DELETE, ["dead-letters", letter]) => {
                    let did = audit::Did::new(&actor, "dead-letters purge", app, format!("{component}/{letter}"));
                    audit::audited(node, did, of_component(node, &id, &method, rest, asked)).await
                }
                (&Method::POST, ["dead-letters", letter, "replay"]) => {
                    let did = audit::Did::new(&actor, "dead-letters replay", app, format!("{component}/{letter}"));
                    audit::audited(node, did, of_component(node, &id, &method, rest, asked)).await
                }
                _ => of_component(node, &id, &method, rest, asked).await,
            }
        }
        _ => Err(Problem::not_found("no such resource; /v1/openapi.json lists what there is")),
    }
}

async fn of_component(node: &Arc<Node>, id: &ComponentId, method: &Method, rest: &[&str], asked: Asked) -> Answer {
    match (method, rest) {
        (&Method::POST, ["invoke"]) => {
            let time = time_of(node, id).await;
            invoke::invoke(node, id, time, asked, None).await
        }
        (&Method::GET, ["dead-letters", letter]) => dead_letters::show(node, id, letter).await,
        (&Method::DELETE, ["dead-letters", letter]) => dead_letters::purge(node, id, letter).await,
        (&Method::POST, ["dead-letters", letter, "replay"]) => dead_letters::replay(node, id, letter).await,
        _ => Err(Problem::not_found("no such resource; /v1/openapi.json lists what there is")),
    }
}

pub(super) async fn known_app(node: &Node, app: &str) -> Result<(), Problem> {
    let is_known = node.apps.read().await.contains_key(app);
    if is_known { Ok(()) } else { Err(Problem::not_found(format!("there is no app {app:?}"))) }
}

pub(super) async fn known(node: &Node, app: &str, component: &str) -> Result<ComponentId, Problem> {
    let apps = node.apps.read().await;
    let deployed = apps.get(app).ok_or_else(|| Problem::not_found(format!("there is no app {app:?}")))?;
    let served = deployed.components.iter().find(|served| served.id.component() == component);
    let missing = || Problem::not_found(format!("app {app} has no component {component:?}"));
    served.map(|served| served.id.clone()).ok_or_else(missing)
}

/// The same where an upstream will do as well.
pub(super) async fn known_or_upstream(node: &Node, app: &str, name: &str) -> Result<ComponentId, Problem> {
    let apps = node.apps.read().await;
    let upstream = apps.get(app).and_then(|deployed| deployed.upstreams.iter().find(|one| one.id.component() == name));
    match upstream.map(|served| served.id.clone()) {
        Some(id) => Ok(id),
        None => {
            drop(apps);
            known(node, app, name).await
        }
    }
}

/// The component's own bound, as the door has it as well.
async fn time_of(node: &Node, id: &ComponentId) -> Duration {
    let apps = node.apps.read().await;
    let component = apps.get(id.app()).and_then(|deployed| deployed.app.component(id.component()));
    component.map_or(Duration::ZERO, |component| component.hull.limits.time)
}

fn decoded(segment: &str) -> Result<String, Problem> {
    let invalid = || Problem::bad_request("the path is not valid: %-escapes of UTF-8");
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else { return Err(invalid()) };
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn segments_are_decoded_or_refused() {
        assert_eq!(decoded("orders.created").ok().as_deref(), Some("orders.created"));
        assert_eq!(decoded("a%2Fb%20%C3%A9").ok().as_deref(), Some("a/b é"));
        for bad in ["%", "%2", "%zz", "%ff"] {
            assert!(decoded(bad).is_err(), "{bad}");
        }
    }
}
