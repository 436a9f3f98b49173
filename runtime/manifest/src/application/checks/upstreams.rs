//! Upstreams are reached by a route, and a route is split between an upstream and a component that are there.

use super::super::draft::{Draft, PolicyDraft};
use crate::read::{Report, did_you_mean};
use crate::split::RouteSplit;
use crate::trigger::{HttpTarget, TriggerRoute};

/// Every upstream has its own name and something that leads to it; every split has two sides.
pub(super) fn check_upstreams(draft: &Draft<'_>, report: &Report) {
    let policies = &draft.details.policies;
    let splits = || policies.iter().filter_map(|policy| policy.policy.split.as_ref().map(|split| (policy, split)));
    for upstream in &draft.details.upstreams {
        let name = &upstream.name;
        if draft.components.has(name.as_str()) {
            let message = format!("the upstream `{name}` has the name of a component");
            report.wrong(&upstream.name_at, message, "name it otherwise: metrics and logs tell the two apart by name");
        }
        if upstream.value.routes.is_empty() && !splits().any(|(_, split)| split.upstream == *name) {
            let message = format!("nothing leads to the upstream `{name}`");
            let remedy = format!("add routes = [\"/legacy/...\"], or `split` a route with upstream = \"{name}\"");
            report.wrong(&upstream.name_at, message, remedy);
        }
    }
    for (policy, split) in splits() {
        check_split(draft, policy, split, report);
    }
}

fn check_split(draft: &Draft<'_>, policy: &PolicyDraft, split: &RouteSplit, report: &Report) {
    let PolicyDraft { route, route_at, .. } = policy;
    let names: Vec<&str> = draft.details.upstreams.iter().map(|named| named.name.as_str()).collect();
    if !names.contains(&split.upstream.as_str()) {
        let message = format!("there is no upstream `{}` to split {route} with", split.upstream);
        report.missing(route_at, message, did_you_mean(split.upstream.as_str(), &names, "upstreams"));
    }
    let has_component = draft.triggers.http.iter().any(|draft| match (&draft.trigger.route, &draft.trigger.target) {
        (TriggerRoute::Public(served), HttpTarget::Component(_)) => served.same_paths(route),
        _ => false,
    });
    if !has_component {
        let message = format!("no component serves {route}, which is split between one and an upstream");
        report.missing(route_at, message, format!("add [[trigger.http]] with route = \"{route}\" and a component"));
    }
}
