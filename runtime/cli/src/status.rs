//! `hull status`: every component of the running app, what it uses beside what it may use, and whether all is well.

mod upstream;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use clap::builder::styling::{AnsiColor, Style};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::{Call, Client, UNEXPECTED, read_json};
use crate::options::StatusOptions;
use crate::table;
use crate::terminal::{self, Paint, harmless};
use upstream::UpstreamStatus;

/// As much of a version's digest as tells it from others.
const VERSION_CHARS: usize = 12;

/// What `/v1/components` says of a component, as far as the table shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ComponentStatus {
    app: String,
    component: String,
    version: String,
    reuse: String,
    subscriptions: Vec<Subscription>,
    storage: Storage,
    /// None before the first invocation.
    bulkhead: Option<Bulkhead>,
    invocations: Invocations,
    /// None for a component that has to do with no events.
    events: Option<Events>,
    resources: Vec<Resource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    resource: String,
    unit: String,
    used: Option<f64>,
    limit: Option<f64>,
    rejected: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Invocations {
    ok: u64,
    failed: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Events {
    handled: u64,
    retried: u64,
    published: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subscription {
    backlog: u64,
    in_flight: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Storage {
    bytes_used: u64,
    bytes_limit: u64,
    outbox: u64,
    dead_letters: u64,
    /// Why it cannot be looked at.
    problem: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Bulkhead {
    name: String,
    inside: u64,
    waiting: u64,
    shed: u64,
    concurrency_max: u64,
}

/// What `/healthz/ready` says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Health {
    status: String,
    parts: BTreeMap<String, Part>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    status: String,
    detail: Option<String>,
}

/// Ask and print.
pub(crate) async fn run(options: &StatusOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    // 503 is an answer as well: something is not ready, and the answer says what.
    let health: Value = read_json(client.send(Call::new(Method::GET, "/healthz/ready")).await?).await?;
    let mut listed: Value = client.get("/v1/components").await?;
    let mut taken = |key: &str| match listed.get_mut(key).map(Value::take) {
        Some(Value::Array(shown)) => shown,
        _ => Vec::new(),
    };
    let (mut components, mut upstreams) = (taken("components"), taken("upstreams"));
    if let Some(app) = &options.host.app {
        let is_of_app = |shown: &Value| shown.get("app").and_then(Value::as_str) == Some(app.as_str());
        components.retain(is_of_app);
        upstreams.retain(is_of_app);
        if components.is_empty() && upstreams.is_empty() {
            client.require_app(app).await?;
        }
    }
    if options.host.json {
        return terminal::print_json(&json!({ "ready": health, "components": components, "upstreams": upstreams }));
    }
    let health: Health = serde_json::from_value(health).context(UNEXPECTED)?;
    let components: Vec<ComponentStatus> = serde_json::from_value(components.into()).context(UNEXPECTED)?;
    let upstreams: Vec<UpstreamStatus> = serde_json::from_value(upstreams.into()).context(UNEXPECTED)?;
    terminal::print(&render(&health, &components, &upstreams, Paint::for_stdout()))
}

fn render(health: &Health, components: &[ComponentStatus], upstreams: &[UpstreamStatus], paint: Paint) -> String {
    let heads = [
        "COMPONENT",
        "VERSION",
        "REUSE",
        "BULKHEAD",
        "RUNNING",
        "WAITING",
        "SHED",
        "OK",
        "FAILED",
        "BACKLOG",
        "IN FLIGHT",
        "HANDLED",
        "RETRIED",
        "PUBLISHED",
        "OUTBOX",
        "DEAD",
        "STORAGE",
    ];
    let rows: Vec<_> = components.iter().map(row).collect();
    let mut text = table::render(heads, &rows);
    if !upstreams.is_empty() {
        text.push('\n');
        let rows: Vec<_> = upstreams.iter().map(upstream::row).collect();
        text.push_str(&table::render(upstream::HEADS, &rows));
    }
    let used: Vec<_> = components.iter().flat_map(resource_rows).collect();
    if !used.is_empty() {
        text.push('\n');
        text.push_str(&table::render(["COMPONENT", "RESOURCE", "USED", "LIMIT", "REJECTED"], &used));
    }
    let colour = |colour: AnsiColor| Style::new().bold().fg_color(Some(colour.into()));
    let failing = health.parts.iter().filter(|(_, part)| part.status != "ok");
    let word = match health.status.as_str() {
        "ok" => paint.paint(colour(AnsiColor::Green), "ready"),
        _ => paint.paint(colour(AnsiColor::Red), "not ready"),
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "\n{word}");
    for (name, part) in failing {
        let detail = part.detail.as_deref().unwrap_or(&part.status);
        let _ = writeln!(text, "  {}: {}", harmless(name), harmless(detail));
    }
    text
}

fn row(status: &ComponentStatus) -> [String; 17] {
    let sum = |count: fn(&Subscription) -> u64| status.subscriptions.iter().map(count).sum::<u64>().to_string();
    let Storage { bytes_used, bytes_limit, outbox, dead_letters, problem } = &status.storage;
    let storage = match problem {
        Some(problem) => harmless(problem),
        None => format!("{} of {}", table::bytes(*bytes_used), table::bytes(*bytes_limit)),
    };
    let of_bulkhead = |show: fn(&Bulkhead) -> String| status.bulkhead.as_ref().map(show).unwrap_or_default();
    let of_events = |count: fn(&Events) -> u64| status.events.as_ref().map_or(0, count).to_string();
    [
        harmless(&format!("{}/{}", status.app, status.component)),
        harmless(&status.version.chars().take(VERSION_CHARS).collect::<String>()),
        harmless(&status.reuse),
        of_bulkhead(|bulkhead| harmless(&bulkhead.name)),
        of_bulkhead(|bulkhead| format!("{}/{}", bulkhead.inside, bulkhead.concurrency_max)),
        of_bulkhead(|bulkhead| bulkhead.waiting.to_string()),
        of_bulkhead(|bulkhead| bulkhead.shed.to_string()),
        status.invocations.ok.to_string(),
        status.invocations.failed.to_string(),
        sum(|subscription| subscription.backlog),
        sum(|subscription| subscription.in_flight),
        of_events(|events| events.handled),
        of_events(|events| events.retried),
        of_events(|events| events.published),
        outbox.to_string(),
        dead_letters.to_string(),
        storage,
    ]
}

/// Use and bound side by side, of what can be measured or was refused; `--json` has all.
fn resource_rows(status: &ComponentStatus) -> impl Iterator<Item = [String; 5]> {
    let told = status.resources.iter().filter(|resource| resource.used.is_some() || resource.rejected > 0);
    told.map(|Resource { resource, unit, used, limit, rejected }| {
        let amount = |amount: Option<f64>| amount.map_or_else(|| "-".to_owned(), |amount| in_unit(amount, unit));
        [
            harmless(&format!("{}/{}", status.app, status.component)),
            harmless(resource),
            amount(*used),
            amount(*limit),
            rejected.to_string(),
        ]
    })
}

fn in_unit(amount: f64, unit: &str) -> String {
    match unit {
        "bytes" => table::bytes(amount as u64),
        "bytes-per-second" => format!("{}/s", table::bytes(amount as u64)),
        "seconds" => format!("{amount} s"),
        "per-second" => format!("{amount}/s"),
        "cores" => format!("{amount} cores"),
        _ => amount.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ComponentStatus, Health, render, row};
    use crate::terminal::Paint;

    #[test]
    fn what_the_host_does_not_know_is_left_out() {
        let component = json!({
            "app": "shop", "component": "web", "version": "v", "reuse": "never", "bulkhead": null, "events": null,
            "storage": { "problem": "the database is damaged" },
        });
        let component: ComponentStatus = serde_json::from_value(component).expect("a component");
        let cells = row(&component);
        assert_eq!((cells[3].as_str(), cells[4].as_str(), cells[11].as_str()), ("", "", "0"));
        assert_eq!(cells[16], "the database is damaged");
    }

    #[test]
    fn a_line_per_component_and_what_is_wrong() {
        let component = json!({
            "app": "shop", "component": "orders", "version": "0123456789abcdef", "reuse": "never", "exports": [],
            "subscriptions": [
                { "pattern": "a.*", "backlog": 2, "in_flight": 1, "redelivered": 0 },
                { "pattern": "b", "backlog": 3, "in_flight": 0, "redelivered": 0 },
            ],
            "storage": { "bytes_used": 2048, "bytes_limit": 1_048_576, "outbox": 4, "dead_letters": 5 },
            "invocations": { "ok": 90, "failed": 9, "running": 6 },
            "bulkhead": { "name": "checkout", "inside": 6, "waiting": 7, "shed": 8, "concurrency_max": 64 },
            "events": { "handled": 10, "retried": 1, "published": 2 },
            "resources": [
                { "resource": "storage", "unit": "bytes", "used": 2048.0, "limit": 1_048_576.0, "rejected": 3 },
                { "resource": "time", "unit": "seconds", "used": null, "limit": 0.5, "rejected": 1 },
                { "resource": "value", "unit": "bytes", "used": null, "limit": 9.0, "rejected": 0 },
            ],
        });
        let components: Vec<ComponentStatus> = vec![serde_json::from_value(component).expect("a component")];
        let health = json!({ "status": "failing", "parts": {
            "bus": { "status": "ok" }, "storage": { "status": "failing", "detail": "the disk is full" },
        } });
        let health: Health = serde_json::from_value(health).expect("health");
        let text = render(&health, &components, &[], Paint::plain());
        let line = text.lines().nth(1).expect("a row");
        let cells: Vec<&str> = line.split_whitespace().collect();
        let expected = "shop/orders 0123456789ab never checkout 6/64 7 8 90 9 5 1 10 1 2 4 5 2.0 KiB of 1.0 MiB";
        assert_eq!(cells.join(" "), expected);
        let told: Vec<String> =
            text.lines().skip(4).take(3).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(told, ["shop/orders storage 2.0 KiB 1.0 MiB 3", "shop/orders time - 0.5 s 1", ""]);
        assert!(text.ends_with("\nnot ready\n  storage: the disk is full\n"), "{text}");
    }
}
