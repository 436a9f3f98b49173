//! `[[trigger.http]]`: a route, and who answers there.

use crate::application::Components;
use crate::effective::{Entry, Shown};
use crate::header_name::HeaderName;
use crate::name::Name;
use crate::read::{Item, Setting, Table};
use crate::route::Route;
use crate::trigger::{TriggerDraft, read_id};

/// A route, and who answers there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTrigger {
    /// Spin's optional id.
    pub id: Option<String>,
    /// Where.
    pub route: TriggerRoute,
    /// Who.
    pub target: HttpTarget,
}

/// Where a trigger is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerRoute {
    /// Through the gateway.
    Public(Route),
    /// By other components only.
    Private,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpTarget {
    /// A component.
    Component(Name),
    /// The host itself, always the same.
    Static(StaticResponse),
}

/// An answer without a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticResponse {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// Names and values, by name.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: String,
}

const ROUTE: &str = "a route such as \"/api/orders/...\", or { private = true }";

/// Read one trigger, and the component that may be written in it.
pub(crate) fn read_http_trigger(item: &Item<'_>, components: &mut Components<'_>) -> Option<TriggerDraft<HttpTrigger>> {
    let table = item.table("a trigger")?;
    let id = read_id(&table);
    let route_item = table.required_item("route", ROUTE);
    let route = route_item.as_ref().and_then(|item| read_route(item));
    let component = table.get("component");
    let answer = table.get("static_response");
    check_executor(&table);
    table.refuse("components", "Spin has reserved this key", "write `component`");
    table.finish();
    let target = match (&component, &answer) {
        (Some(component), None) => components.of_trigger(component, id.as_deref()).map(HttpTarget::Component),
        (None, Some(answer)) => StaticResponse::read(answer).map(HttpTarget::Static),
        (Some(_), Some(answer)) => {
            answer.wrong("the trigger has a component as well", "keep one of them");
            None
        }
        (None, None) => {
            let message = "the trigger has neither a component nor a static_response";
            table.report.missing(&table.span, message, "add component = \"a component's name\"");
            None
        }
    };
    if let (Some(TriggerRoute::Private), Some(HttpTarget::Static(_)), Some(item)) = (&route, &target, &route_item) {
        item.wrong("nobody can ask for a private static_response", "give it a route");
    }
    let matches_at = route_item.map(|item| vec![item.span]).unwrap_or_default();
    Some(TriggerDraft { trigger: HttpTrigger { id, route: route?, target: target? }, matches_at })
}

fn read_route(item: &Item<'_>) -> Option<TriggerRoute> {
    if item.value.as_str().is_some() {
        return Route::read(item).map(TriggerRoute::Public);
    }
    let table = item.table(ROUTE)?;
    let private = table.required_at::<bool>("private");
    table.finish();
    if private?.value {
        return Some(TriggerRoute::Private);
    }
    item.wrong("a route that is not private needs a path", format!("write {ROUTE}"));
    None
}

/// Spin's default executor is what Hull does; the others are not there.
fn check_executor(table: &Table<'_>) {
    let Some(item) = table.get("executor") else { return };
    let Some(executor) = item.table("{ type = \"spin\" }") else { return };
    let kind = executor.required_at::<String>("type");
    match kind.filter(|kind| kind.value != "spin" && kind.value != "http") {
        Some(kind) => {
            let message = format!("Hull does not have the executor \"{}\"", kind.value);
            table.report.wrong(&kind.span, message, "export wasi:http from the component, and remove `executor`");
        }
        None => executor.finish(),
    }
}

impl Setting for StaticResponse {
    const WANTED: &'static str = "{ status_code = 200, body = \"…\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let status = table.or_within("status_code", 200, &(200..=599)) as u16;
        let body = table.or("body", String::new());
        let mut headers = Vec::new();
        for (key, item) in table.table("headers").iter().flat_map(Table::entries) {
            let name = key.value.parse::<HeaderName>();
            let name = name.map_err(|invalid| table.report.invalid(&key.span, &item.path, invalid));
            let Some(value) = String::read(&item) else { continue };
            if value.chars().any(|character| character.is_control() && character != '\t') {
                item.wrong("the value has control characters", "write it on one line");
            }
            headers.extend(name.map(|name| (name, value)));
        }
        headers.sort();
        table.finish();
        Some(Self { status, headers, body })
    }

    fn show(&self) -> Shown {
        Shown::Table(vec![
            Entry::defaulted("status_code", &u32::from(self.status), &200),
            Entry {
                key: "headers".to_owned(),
                value: Shown::map(self.headers.iter().map(|(name, value)| (name.to_string(), value.show()))),
                default: self.headers.is_empty(),
            },
            Entry::defaulted("body", &self.body, &String::new()),
        ])
    }
}
