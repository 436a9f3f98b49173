//! Routes are served once, and policies are for routes that are served.

use super::super::draft::Draft;
use crate::policies::Auth;
use crate::read::{Report, Span};
use crate::route::Route;
use crate::trigger::TriggerRoute;

/// Every route that is served, by triggers and upstreams, and whether by an upstream.
fn served<'d>(draft: &Draft<'d>) -> Vec<(&'d Route, &'d Span, bool)> {
    let triggers = draft.triggers.http.iter().filter_map(|draft| match &draft.trigger.route {
        TriggerRoute::Public(route) => draft.matches_at.first().map(|at| (route, at, false)),
        TriggerRoute::Private => None,
    });
    let upstreams = draft.details.upstreams.iter().flat_map(|named| named.value.routes.iter().zip(&named.places));
    let mut served: Vec<_> = triggers.chain(upstreams.map(|(route, at)| (route, at, true))).collect();
    served.sort_by_key(|(_, at, _)| at.start);
    served
}

const SHARED: &str = ", or leave it to the component and give its policies a `split` with the upstream";

/// Two that serve the same paths would hide one another.
pub(super) fn check_routes(draft: &Draft<'_>, report: &Report) {
    let served = served(draft);
    for (index, (route, at, by_upstream)) in served.iter().enumerate() {
        let before = served.iter().take(index).find(|(other, ..)| route.same_paths(other));
        if let Some((other, _, before_by_upstream)) = before {
            let same = if route == other { String::new() } else { format!(", as {other}") };
            let message = format!("the route {route} is served already{same}");
            let shared = if by_upstream == before_by_upstream { "" } else { SHARED };
            report.wrong(at, message, format!("give one of the two another route{shared}"));
        }
    }
}

/// A policy for paths that nobody serves protects nothing.
pub(super) fn check_policies(draft: &Draft<'_>, report: &Report) {
    let served = served(draft);
    let policies = &draft.details.policies;
    for (index, policy) in policies.iter().enumerate() {
        let before = policies.iter().take(index).find(|other| policy.route.same_paths(&other.route));
        if let Some(other) = before {
            let message = format!("the policies of {} are set already, as {}", policy.route, other.route);
            report.wrong(&policy.route_at, message, "put them into one table");
        }
        if !served.iter().any(|(route, ..)| policy.route.overlaps(route)) {
            let routes: Vec<String> = served.iter().map(|(route, ..)| route.to_string()).collect();
            let message = format!("no trigger and no upstream serves {}", policy.route);
            let remedy = crate::read::did_you_mean(&policy.route.to_string(), &routes, "routes");
            report.missing(&policy.route_at, message, remedy);
        }
        let Some(host) = draft.components.context.host else { continue };
        if policy.policy.auth == Auth::Jwt && host.jwt.is_none() {
            let message = format!("{} asks for tokens, and the host knows no issuer", policy.route);
            report.missing(&policy.route_at, message, "add [auth.jwt] to hull.toml");
        }
        if policy.policy.auth == Auth::Mtls && host.tls.as_ref().is_none_or(|tls| tls.client_ca.is_none()) {
            let message = format!("{} asks for client certificates, and the host does not", policy.route);
            report.missing(&policy.route_at, message, "add client-ca to [tls] in hull.toml");
        }
    }
}
