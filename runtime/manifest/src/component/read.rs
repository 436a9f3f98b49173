//! Reads a component, and checks what can be checked without knowing the others.

use std::collections::BTreeMap;

use super::{Build, Component, ComponentSettings, FileMount, Reuse};
use crate::application::Context;
use crate::files::{FileKind, check_contained};
use crate::name::{Name, VariableName};
use crate::outbound::{OutboundGrant, OutboundHost};
use crate::problem::Invalid;
use crate::read::{Item, Setting, Span, Table};
use crate::source::Source;
use crate::template::Template;
use crate::variables::check_template;

/// A component with the places that checks between components need.
pub(crate) struct ComponentDraft {
    pub(crate) component: Component,
    pub(crate) bulkhead_at: Span,
    pub(crate) storage_at: Span,
    pub(crate) reuse_at: Span,
    /// Beside each of `allowed_outbound_hosts`.
    pub(crate) grants_at: Vec<Span>,
    pub(crate) calls_at: BTreeMap<Name, Span>,
}

/// Read a component; `name` is its key, or was made for an inline one.
pub(crate) fn read_component(name: Name, item: &Item<'_>, context: &Context<'_>) -> Option<ComponentDraft> {
    let table = item.table("a component: { source = \"…\" }")?;
    let source = read_source(&table, context);
    let environment = read_environment(&table);
    let variables = read_component_variables(&table, context);
    let files = read_files(&table, context);
    let (allowed_outbound_hosts, grants_at) = read_grants(&table, context);
    let key_value = read_stores(&table, "key_value_stores");
    let sqlite = read_stores(&table, "sqlite_databases");
    let exclude_files = table.or("exclude_files", Vec::new());
    let description = table.or("description", String::new());
    let build = table.optional::<Build>("build");
    refuse_what_spin_has(&table);
    let tool = table.table("tool").and_then(|tool| tool.table("hull"));
    table.finish();
    let hull = tool.as_ref().map(ComponentSettings::read_from).unwrap_or_default();
    let at = |key: &'static str| {
        let item = tool.as_ref().and_then(|tool| tool.get(key));
        item.map_or_else(|| table.span.clone(), |item| item.span)
    };
    let calls_at = tool.as_ref().map(call_places).unwrap_or_default();
    let (bulkhead_at, storage_at, reuse_at) = (at("bulkhead"), at("storage"), at("reuse"));
    if let Some(tool) = &tool {
        check_settings(tool, &hull, sqlite, context);
        tool.finish();
    }
    let component = Component {
        name,
        description,
        source: source?,
        environment,
        variables,
        files,
        exclude_files,
        allowed_outbound_hosts,
        key_value,
        sqlite,
        build,
        hull,
    };
    Some(ComponentDraft { component, bulkhead_at, storage_at, reuse_at, grants_at, calls_at })
}

fn refuse_what_spin_has(table: &Table<'_>) {
    let no = "Hull does not have this Spin feature";
    table.refuse("ai_models", no, "remove it; there are no models to infer with");
    table.refuse("dependencies", no, "compose the component before, with `wac`, and remove it");
    table.refuse("dependencies_inherit_configuration", no, "remove it, as `dependencies`");
    table.refuse("targets", no, "remove it; what a component imports is checked when it is deployed");
    table.refuse("profile", no, "remove it");
    let hosts = "write `allowed_outbound_hosts`, with schemes";
    table.refuse("allowed_http_hosts", "Spin has replaced this key, and Hull never had it", hosts);
}

fn read_source(table: &Table<'_>, context: &Context<'_>) -> Option<Source> {
    let item = table.required_item("source", Source::WANTED)?;
    let source = Source::read(&item)?;
    if let Some(path) = source.file().filter(|path| !path.is_empty()) {
        check_kind(&item, path, FileKind::File, context, "build it first, with `hull build` or `hull up --build`");
    }
    Some(source)
}

/// Report a path where something else is, or nothing, if there is somebody to ask.
fn check_kind(item: &Item<'_>, path: &str, wanted: FileKind, context: &Context<'_>, remedy: &str) {
    let Some(files) = context.files else { return };
    match (files.kind(path), wanted) {
        (None, _) => item.wrong(format!("\"{path}\" is not there"), remedy),
        (Some(FileKind::Directory), FileKind::File) => {
            item.wrong(format!("\"{path}\" is a directory"), "write the path of a file");
        }
        (Some(FileKind::File), FileKind::Directory) => {
            item.wrong(format!("\"{path}\" is a file"), "write the path of a directory");
        }
        _ => {}
    }
}

fn read_environment(table: &Table<'_>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for (key, item) in table.table("environment").iter().flat_map(Table::entries) {
        if key.value.is_empty() || key.value.contains(['=', '\0']) {
            let message = format!("`{}` cannot be the name of an environment variable", item.path);
            table.report.wrong(&key.span, message, "write a name without =");
        }
        if let Some(value) = String::read(&item) {
            environment.insert(key.value.to_owned(), value);
        }
    }
    environment
}

fn read_component_variables(table: &Table<'_>, context: &Context<'_>) -> BTreeMap<VariableName, Template> {
    let mut variables = BTreeMap::new();
    for (key, item) in table.table("variables").iter().flat_map(Table::entries) {
        let name = key.value.parse::<VariableName>();
        let name = name.map_err(|invalid| table.report.invalid(&key.span, &item.path, invalid));
        let Some(template) = Template::read(&item) else { continue };
        check_template(&item, &template, context.variables);
        if let Ok(name) = name {
            variables.insert(name, template);
        }
    }
    variables
}

fn read_files(table: &Table<'_>, context: &Context<'_>) -> Vec<FileMount> {
    let mut mounts = Vec::new();
    let Some(elements) = table.get("files").and_then(|item| item.elements("a list of files")) else { return mounts };
    for item in elements {
        let Some(mount) = FileMount::read(&item) else { continue };
        let missing = match (&mount, context.files) {
            (FileMount::Placed { source, .. }, Some(files)) => files.kind(source).is_none().then_some(source),
            _ => None,
        };
        if let Some(source) = missing {
            item.wrong(format!("\"{source}\" is not there"), "write the path of a file or directory");
        }
        mounts.push(mount);
    }
    mounts
}

fn read_grants(table: &Table<'_>, context: &Context<'_>) -> (Vec<OutboundGrant>, Vec<Span>) {
    let (mut grants, mut places) = (Vec::new(), Vec::new());
    let item = table.get("allowed_outbound_hosts");
    for item in item.and_then(|item| item.elements("a list of hosts")).into_iter().flatten() {
        let Some(written) = Template::read(&item) else { continue };
        if !check_template(&item, &written, context.variables) {
            continue;
        }
        let filled = written.fill(|name| context.variables.get(name)?.value.as_deref());
        let host = filled.map(|text| text.parse::<OutboundHost>()).transpose();
        let host = host.map_err(|invalid| {
            let secret = |name| context.variables.get(name).is_some_and(|variable| variable.secret);
            let filled = || Invalid::new("with its variables filled in it is no host", invalid.remedy.clone());
            let invalid = if written.variables().any(secret) { filled() } else { invalid };
            item.report.invalid(&item.span, &item.path, invalid);
        });
        if let Ok(host) = host {
            grants.push(OutboundGrant { written, host });
            places.push(item.span.clone());
        }
    }
    (grants, places)
}

/// Whether the one store that there is was asked for.
fn read_stores(table: &Table<'_>, key: &'static str) -> bool {
    let mut granted = false;
    let item = table.get(key);
    for item in item.and_then(|item| item.elements("[\"default\"]")).into_iter().flatten() {
        match item.text("\"default\"") {
            Some("default") => granted = true,
            Some(other) => {
                let message = format!("Hull has no other than \"default\" yet, and not \"{other}\"");
                item.wrong(message, "write [\"default\"]");
            }
            None => {}
        }
    }
    granted
}

fn call_places(tool: &Table<'_>) -> BTreeMap<Name, Span> {
    let Some(calls) = tool.table("calls") else { return BTreeMap::new() };
    calls.entries().into_iter().filter_map(|(key, _)| Some((key.value.parse().ok()?, key.span))).collect()
}

fn check_settings(tool: &Table<'_>, hull: &ComponentSettings, sqlite: bool, context: &Context<'_>) {
    check_migrations(tool, hull, sqlite, context);
    if let (Some(item), Some(path)) = (tool.get("contracts"), &hull.contracts) {
        check_folder(&item, path, context);
    }
    // A word that cannot be read counts as the default, and has been reported.
    let is_never = tool.get("reuse").is_none_or(|item| item.value.as_str() == Some(Reuse::Never.as_str()));
    if let (Some(item), true) = (tool.get("max-invocations"), is_never) {
        item.wrong("every invocation gets an instance of its own", "remove it, or set reuse = \"serial\"");
    }
    let slow = hull.health.as_ref().is_some_and(|health| health.timeout > health.interval);
    if let (Some(item), true) = (tool.get("health"), slow) {
        item.wrong("an answer may take longer than until the next request", "make timeout at most interval");
    }
    for (key, item) in tool.table("calls").iter().flat_map(Table::entries) {
        let breaker = hull.calls.get(key.value).and_then(|policy| policy.breaker.as_ref());
        if breaker.is_some_and(|breaker| breaker.probes > breaker.window) {
            item.wrong("breaker.probes is more than breaker.window", "make probes at most window");
        }
    }
}

fn check_migrations(tool: &Table<'_>, hull: &ComponentSettings, sqlite: bool, context: &Context<'_>) {
    let (Some(item), Some(path)) = (tool.get("migrations"), &hull.migrations) else { return };
    if sqlite || check_contained(path).is_err() {
        check_folder(&item, path, context);
    } else {
        item.wrong("the component has no database", "add sqlite_databases = [\"default\"]");
    }
}

/// A directory below the manifest's own.
fn check_folder(item: &Item<'_>, path: &str, context: &Context<'_>) {
    match check_contained(path) {
        Err(invalid) => item.report.invalid(&item.span, &item.path, invalid),
        Ok(()) => check_kind(item, path, FileKind::Directory, context, "make the directory, or correct its path"),
    }
}
