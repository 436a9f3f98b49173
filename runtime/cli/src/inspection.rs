//! Looks into the files of an app's components without running them: whether they are components at all, export what
//! their triggers need, and import only what the manifest grants; and into their migrations.

mod grants;
mod origins;

pub(crate) use self::origins::Origin;

use std::collections::BTreeMap;
use std::path::Path;

use hull_control::{COMPONENT_BYTES_MAX, contract_problems, dialect, read_migrations};
use hull_engine::{DeployError, Exports, inspect, validate};
use hull_invocation::ComponentId;
use hull_manifest::{App, Component, Host, HostPattern, HttpTarget, Name, Reuse};
use hull_provenance::TrustedKeys;

use self::grants::{Standing, standing};
use crate::manifest_files::read_whole;

/// What a finding means for the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// It cannot be deployed.
    Error,
    /// It can be, and what is missing is denied when it is used: many guests import more than they ever use.
    Warning,
}

/// What is wrong with a component's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// As the manifest names it.
    pub(crate) file: String,
    pub(crate) message: String,
}

/// What the files of all components tell.
#[derive(Debug, Default)]
pub(crate) struct Inspected {
    /// Everything that is wrong with them.
    pub(crate) findings: Vec<Finding>,
    /// Of those that can be read and that the host would take.
    pub(crate) origins: Vec<Origin>,
}

/// Look into them; `sources` says where those came from that were fetched.
pub(crate) fn inspect_components(app: &App, host: &Host, base: &Path, sources: &BTreeMap<Name, String>) -> Inspected {
    let keys = TrustedKeys::of(host.signatures.as_ref());
    let mut inspected = Inspected::default();
    for component in &app.components {
        let id = ComponentId::new(app.name.as_str(), component.name.as_str());
        let path = base.join(component.source.file().unwrap_or_default());
        let too_large = |bytes_max: u64| format!("it is larger than {} MiB", bytes_max >> 20);
        let messages = match read_whole(&path, COMPONENT_BYTES_MAX, too_large) {
            Ok(bytes) => {
                let source = sources.get(&component.name);
                let origin = Origin::of(&component.name, source, &path, &bytes, keys.as_ref());
                let refused = origin.as_ref().err().map(|why| (Severity::Error, format!("{id}: {why}")));
                inspected.origins.extend(origin);
                match inspect(&id, &bytes).and_then(|exports| validate(&id, &bytes).map(|()| exports)) {
                    Ok(exports) => judge(app, component, &id, &exports).into_iter().chain(refused).collect(),
                    Err(error) => vec![(Severity::Error, error.to_string())],
                }
            }
            Err(error) => vec![(Severity::Error, format!("{id}: its file cannot be read: {error}"))],
        };
        let file = component.source.to_string();
        let found = messages.into_iter();
        let found = found.map(|(severity, message)| Finding { severity, file: file.clone(), message });
        inspected.findings.extend(found.chain(wrong_migrations(component, &id, host, base)));
    }
    let contracts = contract_problems(app, base).into_iter().map(|problem| {
        let contracts = app.component(&problem.component).and_then(|component| component.hull.contracts.clone());
        let message = format!("{}: {}", problem.component, problem.message);
        Finding { severity: Severity::Error, file: contracts.unwrap_or_else(|| "contracts".to_owned()), message }
    });
    inspected.findings.extend(contracts);
    inspected
}

fn wrong_migrations(component: &Component, id: &ComponentId, host: &Host, base: &Path) -> Option<Finding> {
    let problem = read_migrations(component, base, dialect(host, component)).err()?;
    let file = component.hull.migrations.clone().unwrap_or_default();
    Some(Finding { severity: Severity::Error, file, message: format!("{id}: {}", problem.message) })
}

fn judge(app: &App, component: &Component, id: &ComponentId, exports: &Exports) -> Vec<(Severity, String)> {
    let missing = missing_exports(app, component, id, exports);
    let missing = missing.into_iter().map(|error| (Severity::Error, error.to_string()));
    let imports = exports.imports.iter().filter_map(|import| match standing(component, import) {
        Standing::Granted => None,
        Standing::Ungranted { table, line } => {
            let message = format!(
                "{id}: it imports `{import}`, which nothing grants: using it will be denied. To grant it, add `{line}` \
                 to {table}"
            );
            Some((Severity::Warning, message))
        }
        Standing::Unknown => {
            let hint = "docs/reference/interfaces.md lists what there is.".to_owned();
            let error = DeployError::UnknownImport { component: id.clone(), import: import.clone(), hint };
            Some((Severity::Error, error.to_string()))
        }
    });
    missing.chain(imports).collect()
}

fn missing_exports(app: &App, component: &Component, id: &ComponentId, exports: &Exports) -> Vec<DeployError> {
    let found = || if exports.names.is_empty() { "nothing".to_owned() } else { exports.names.join(", ") };
    let mut missing = Vec::new();
    if exports.http.is_none() && serves_http(app, component) {
        missing.push(DeployError::MissingExport {
            component: id.clone(),
            trigger: "[[trigger.http]]",
            wanted: "wasi:http/incoming-handler@0.2 or wasi:http/handler@0.3",
            found: found(),
        });
    }
    if !exports.events && app.subscriptions(component).next().is_some() {
        missing.push(DeployError::MissingExport {
            component: id.clone(),
            trigger: "[[trigger.messaging]]",
            wanted: "hull:messaging/handler@0.1.0",
            found: found(),
        });
    }
    let concurrent = exports.names.iter().any(|name| name.starts_with("wasi:http/handler@0.3"));
    if component.hull.reuse == Reuse::Concurrent && !concurrent {
        missing.push(DeployError::NotConcurrent { component: id.clone() });
    }
    missing
}

/// Whether a trigger leads to it, or another component names it as one that it calls.
fn serves_http(app: &App, component: &Component) -> bool {
    let triggered = app.http_triggers.iter().any(|trigger| match &trigger.target {
        HttpTarget::Component(name) => *name == component.name,
        HttpTarget::Static(_) => false,
    });
    let named = |caller: &Component| {
        let mut hosts = caller.outbound_hosts().map(|grant| &grant.host);
        hosts.any(|host| matches!(host, HostPattern::Component(name) if *name == component.name))
    };
    triggered || app.components.iter().any(named)
}

#[cfg(test)]
#[path = "inspection_tests.rs"]
mod tests;
