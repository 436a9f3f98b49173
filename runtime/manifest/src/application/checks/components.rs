//! Components refer to bulkheads, storages and one another.

use super::super::draft::Draft;
use crate::component::ComponentDraft;
use crate::name::Name;
use crate::outbound::HostPattern;
use crate::read::{Report, did_you_mean};

/// Members name bulkheads that are there, and no bulkhead is mistaken for a component's own.
pub(super) fn check_bulkheads(draft: &Draft<'_>, report: &Report) {
    let bulkheads = &draft.details.bulkheads;
    let names: Vec<&str> = bulkheads.iter().map(|named| named.name.as_str()).collect();
    let components = &draft.components.drafts;
    for ComponentDraft { component, bulkhead_at, .. } in components {
        let Some(wanted) = &component.hull.bulkhead else { continue };
        if !names.contains(&wanted.as_str()) {
            let message = format!("there is no bulkhead `{wanted}`");
            let near = did_you_mean(wanted.as_str(), &names, "bulkheads");
            report.missing(bulkhead_at, message, format!("add [application.tool.hull.bulkheads.{wanted}]; {near}"));
        }
    }
    for bulkhead in bulkheads {
        let namesake = components.iter().find(|draft| draft.component.name == bulkhead.name);
        if namesake.is_some_and(|draft| draft.component.hull.bulkhead.is_none()) {
            let message = format!("the bulkhead `{}` has the name of a component that is not in it", bulkhead.name);
            report.wrong(&bulkhead.name_at, message, "name it otherwise, or put the component into it");
        }
    }
}

/// Calls go to components that are there, and are granted.
pub(super) fn check_calls(draft: &Draft<'_>, report: &Report) {
    for ComponentDraft { component, grants_at, calls_at, .. } in &draft.components.drafts {
        for (grant, at) in component.allowed_outbound_hosts.iter().zip(grants_at) {
            let Some(HostPattern::Component(target)) = grant.host.as_ref().map(|host| &host.host) else { continue };
            if !draft.components.has(target.as_str()) {
                let message = format!("there is no component `{target}` to call");
                report.missing(at, message, draft.components.suggestion(target.as_str()));
            }
        }
        for (target, at) in calls_at {
            check_call(draft, component.may_call(target.as_str()), (&component.name, target), at, report);
        }
    }
}

fn check_call(
    draft: &Draft<'_>,
    granted: bool,
    (caller, target): (&Name, &Name),
    at: &crate::read::Span,
    report: &Report,
) {
    if !draft.components.has(target.as_str()) {
        let message = format!("there is no component `{target}` to call");
        report.missing(at, message, draft.components.suggestion(target.as_str()));
    } else if !granted {
        let message = format!("`{caller}` may not call `{target}`");
        report.missing(at, message, format!("add \"http://{target}.internal\" to its allowed_outbound_hosts"));
    }
}

/// Data goes where the host has a place for it.
pub(super) fn check_host(draft: &Draft<'_>, report: &Report) {
    let Some(host) = draft.components.context.host else { return };
    let names: Vec<&str> = host.storage.keys().map(Name::as_str).collect();
    for ComponentDraft { component, storage_at, .. } in &draft.components.drafts {
        let wanted = &component.hull.storage;
        if !host.storage.contains_key(wanted) {
            let message = format!("the host has no storage `{wanted}`");
            let near = did_you_mean(wanted.as_str(), &names, "storages");
            report.missing(storage_at, message, format!("add [storage.{wanted}] to hull.toml; {near}"));
        }
    }
}
