//! The effective `spin.toml`: every component with every default.

use super::{Entry, Shown};
use crate::application::App;
use crate::component::{Component, Reuse};
use crate::outbound::OutboundGrant;
use crate::read::Setting;
use crate::trigger::{HttpTarget, HttpTrigger, MessagingTrigger, TriggerRoute};

/// Everything an app says, with every default. Displays as a `spin.toml`, serializes as JSON.
pub fn effective_app(app: &App) -> Shown {
    let mut entries = vec![
        Entry::new("spin_manifest_version", Shown::Number(2)),
        Entry::new("application", Shown::Section(application(app))),
    ];
    if !app.variables.is_empty() {
        let variables = app.variables.iter().map(|(name, variable)| Entry::new(name.as_str(), variable.show()));
        entries.push(Entry::new("variables", Shown::Section(variables.collect())));
    }
    let mut triggers = Vec::new();
    if !app.http_triggers.is_empty() {
        triggers.push(Entry::new("http", Shown::Sections(app.http_triggers.iter().map(http_trigger).collect())));
    }
    if !app.messaging_triggers.is_empty() {
        let messaging = app.messaging_triggers.iter().map(messaging_trigger).collect();
        triggers.push(Entry::new("messaging", Shown::Sections(messaging)));
    }
    let components =
        app.components.iter().map(|one| Entry::new(one.name.as_str(), Shown::Section(component(app, one))));
    // An app of upstreams alone has neither.
    let rest = [("trigger", triggers), ("component", components.collect())];
    let rest = rest.into_iter().filter(|(_, entries)| !entries.is_empty());
    entries.extend(rest.map(|(key, entries)| Entry::new(key, Shown::Section(entries))));
    Shown::Section(entries)
}

/// The effective `spin.toml` as text.
pub fn effective_toml(app: &App) -> String {
    effective_app(app).to_string()
}

fn section(entries: Vec<Entry>) -> Shown {
    Shown::Section(entries)
}

/// Below `tool.hull`.
fn tool(entries: Vec<Entry>) -> Entry {
    Entry::new("tool", section(vec![Entry::new("hull", section(entries))]))
}

fn application(app: &App) -> Vec<Entry> {
    let mut entries = vec![
        Entry::new("name", app.name.show()),
        Entry::defaulted("version", &app.version, &String::new()),
        Entry::defaulted("description", &app.description, &String::new()),
        Entry::defaulted("authors", &app.authors, &Vec::new()),
    ];
    let bulkheads = app.bulkheads.iter().map(|(name, bulkhead)| Entry::new(name.as_str(), section(bulkhead.entries())));
    let routes = app.routes.iter().map(|(route, policy)| Entry::new(route.to_string(), section(policy.entries())));
    let upstreams = app.upstreams.iter().map(|(name, upstream)| Entry::new(name.as_str(), upstream.show()));
    let named = [
        ("bulkheads", bulkheads.collect::<Vec<_>>()),
        ("routes", routes.collect()),
        ("upstreams", upstreams.collect()),
    ];
    let named = named.into_iter().filter(|(_, entries)| !entries.is_empty());
    let named: Vec<Entry> = named.map(|(key, entries)| Entry::new(key, section(entries))).collect();
    if !named.is_empty() {
        entries.push(tool(named));
    }
    entries
}

fn http_trigger(trigger: &HttpTrigger) -> Vec<Entry> {
    let route = match &trigger.route {
        TriggerRoute::Public(route) => route.show(),
        TriggerRoute::Private => Shown::Table(vec![Entry::new("private", Shown::Flag(true))]),
    };
    let target = match &trigger.target {
        HttpTarget::Component(name) => Entry::new("component", name.show()),
        HttpTarget::Static(answer) => Entry::new("static_response", answer.show()),
    };
    vec![Entry::defaulted("id", &trigger.id, &None), Entry::new("route", route), target]
}

fn messaging_trigger(trigger: &MessagingTrigger) -> Vec<Entry> {
    let mut entries = vec![
        Entry::defaulted("id", &trigger.id, &None),
        Entry::new("component", trigger.component.show()),
        Entry::new("subjects", trigger.subjects.show()),
    ];
    entries.extend(trigger.delivery.entries());
    entries
}

fn component(app: &App, component: &Component) -> Vec<Entry> {
    let granted = |granted: bool| if granted { vec!["default".to_owned()] } else { Vec::new() };
    let written = |grant: &OutboundGrant| grant.written.to_string();
    let hosts: Vec<String> = component.allowed_outbound_hosts.iter().map(written).collect();
    let none = Vec::new();
    let mut entries = vec![
        Entry::new("source", component.source.show()),
        Entry::defaulted("description", &component.description, &String::new()),
        Entry::defaulted("key_value_stores", &granted(component.key_value), &none),
        Entry::defaulted("sqlite_databases", &granted(component.sqlite), &none),
        Entry::defaulted("allowed_outbound_hosts", &hosts, &none),
        Entry::defaulted("files", &component.files, &Vec::new()),
        Entry::defaulted("exclude_files", &component.exclude_files, &none),
    ];
    if !component.environment.is_empty() {
        let environment = component.environment.iter().map(|(key, value)| Entry::new(key, value.show()));
        entries.push(Entry::new("environment", section(environment.collect())));
    }
    if !component.variables.is_empty() {
        let variables = component.variables.iter().map(|(key, value)| Entry::new(key.as_str(), value.show()));
        entries.push(Entry::new("variables", section(variables.collect())));
    }
    if let Some(build) = &component.build {
        entries.push(Entry::new("build", build.show()));
    }
    let hull = component.hull.entries().into_iter().filter(|entry| applies(component, entry));
    let with_bulkhead = |entry: Entry| match (entry.key.as_str(), &entry.value) {
        ("bulkhead", Shown::Absent) => Entry { value: Shown::Implied(app.bulkhead_of(component).1.entries()), ..entry },
        _ => entry,
    };
    entries.push(tool(hull.map(with_bulkhead).map(with_headers).collect()));
    entries
}

/// Some keys mean nothing beside others, and would be refused there.
fn applies(component: &Component, entry: &Entry) -> bool {
    match entry.key.as_str() {
        "max-invocations" => component.hull.reuse != Reuse::Never,
        "calls" => !component.hull.calls.is_empty(),
        _ => true,
    }
}

/// The long tables of `tool.hull` get headers of their own.
fn with_headers(entry: Entry) -> Entry {
    let value = match (entry.key.as_str(), entry.value) {
        ("limits", Shown::Table(entries)) => section(entries),
        ("calls", Shown::Table(entries)) => section(entries.into_iter().map(with_header).collect()),
        (_, other) => other,
    };
    Entry { value, ..entry }
}

fn with_header(entry: Entry) -> Entry {
    match entry.value {
        Shown::Table(entries) => Entry { value: section(entries), ..entry },
        _ => entry,
    }
}
