//! Reads `spin.toml`, top down.

use toml::de::DeValue;

use super::checks::check_app;
use super::draft::{Details, Draft, Named};
use super::policies::read_policies;
use super::triggers::read_triggers;
use super::{App, Components, Context, Reading, Upstream};
use crate::bulkhead::Bulkhead;
use crate::name::Name;
use crate::problem::Problems;
use crate::read::{Item, Setting, Span, Table, read_document};
use crate::variables::read_variables;

/// Parse a whole `spin.toml`.
pub(super) fn read_app(text: &str, reading: &Reading<'_>) -> Result<App, Problems> {
    read_document(reading.file, text, |root| read_root(root, reading))
}

fn read_root(root: &Table<'_>, reading: &Reading<'_>) -> Option<App> {
    check_version(root)?;
    let application = root.required_item("application", "a table [application] with the app's name");
    let variables = read_variables(root, reading.values);
    let context = Context { variables: &variables, files: reading.files, host: reading.host };
    let mut components = Components::read(root, &context);
    let triggers = read_triggers(root, &mut components);
    let details = application.and_then(|item| read_application(&item));
    root.finish();
    let details = details?;
    check_app(&Draft { components: &components, triggers: &triggers, details: &details }, root.report);
    Some(App {
        name: details.name?,
        version: details.version,
        description: details.description,
        authors: details.authors,
        bulkheads: details.bulkheads.into_iter().map(|named| (named.name, named.value)).collect(),
        routes: details.policies.into_iter().map(|draft| (draft.route, draft.policy)).collect(),
        upstreams: details.upstreams.into_iter().map(|named| (named.name, named.value)).collect(),
        components: components.drafts.into_iter().map(|draft| draft.component).collect(),
        http_triggers: triggers.http.into_iter().map(|draft| draft.trigger).collect(),
        messaging_triggers: triggers.messaging.into_iter().map(|draft| draft.trigger).collect(),
        variables,
    })
}

/// Nothing is said about the rest of a file that is not a Spin 2 manifest.
fn check_version(root: &Table<'_>) -> Option<()> {
    let Some(item) = root.get("spin_manifest_version").or_else(|| root.get("spin_version")) else {
        root.report.missing(&root.span, "`spin_manifest_version` is missing", "begin with spin_manifest_version = 2");
        return None;
    };
    match item.value {
        DeValue::Integer(version) if version.as_str() == "2" => return Some(()),
        DeValue::String(version) if version == "1" => {
            item.wrong("this is a Spin 1 manifest", "convert it with `spin doctor`, to spin_manifest_version = 2");
        }
        _ => item.wrong("Hull reads version 2", "write spin_manifest_version = 2"),
    }
    None
}

fn read_application(item: &Item<'_>) -> Option<Details> {
    let table = item.table("a table [application]")?;
    let mut details = Details {
        name: table.required("name"),
        version: table.or("version", String::new()),
        description: table.or("description", String::new()),
        authors: table.or("authors", Vec::new()),
        bulkheads: Vec::new(),
        policies: Vec::new(),
        upstreams: Vec::new(),
    };
    let no = "Hull does not have this Spin feature";
    table.refuse("targets", no, "remove it; what a component imports is checked when it is deployed");
    table.refuse("trigger", no, "remove it; triggers are set up one by one");
    if let Some(tool) = table.table("tool").and_then(|tool| tool.table("hull")) {
        let bulkhead = |item: &Item<'_>| Bulkhead::read(item).map(|value| (value, Vec::new()));
        details.bulkheads = read_named(&tool, "bulkheads", bulkhead);
        details.upstreams = read_named(&tool, "upstreams", Upstream::read);
        details.policies = read_policies(&tool);
        tool.finish();
    }
    table.finish();
    Some(details)
}

/// Read tables that have names; `read` gives each with the places that checks need.
fn read_named<T>(
    tool: &Table<'_>,
    key: &'static str,
    read: impl Fn(&Item<'_>) -> Option<(T, Vec<Span>)>,
) -> Vec<Named<T>> {
    let mut named = Vec::new();
    for (key, item) in tool.table(key).iter().flat_map(Table::entries) {
        let name = key.value.parse::<Name>();
        let name = name.map_err(|invalid| tool.report.invalid(&key.span, &item.path, invalid));
        if let (Ok(name), Some((value, places))) = (name, read(&item)) {
            named.push(Named { name, name_at: key.span, value, places });
        }
    }
    named
}
