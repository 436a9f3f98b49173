//! What is deployed, and what it uses of what it may.

use std::collections::HashMap;

use hull_events::ComponentEvents;
use hull_invocation::{ComponentId, Resource};
use hull_manifest::{App, Component};
use hull_telemetry::ComponentMetrics;
use serde_json::{Value, json};

use super::answer::{Answer, json_ok};
use crate::deploy::Served;
use crate::node::Node;
use crate::node::resources;
use crate::routes::public_routes::{PublicRoute, public_routes};

pub(super) async fn apps(node: &Node) -> Answer {
    let apps = node.apps.read().await;
    let shown: Vec<Value> = apps
        .values()
        .map(|deployed| {
            let app = &deployed.app;
            let components: Vec<_> = app.components.iter().map(|component| component.name.as_str()).collect();
            json!({
                "app": app.name.as_str(),
                "version": app.version,
                "components": components,
                "routes": routes(app),
            })
        })
        .collect();
    json_ok(&json!({ "apps": shown }))
}

fn routes(app: &App) -> Vec<Value> {
    let shown = public_routes(app);
    shown.iter().map(PublicRoute::to_json).collect()
}

pub(super) async fn components(node: &Node) -> Answer {
    let events = node.events.status().await;
    let mut events: HashMap<ComponentId, ComponentEvents> =
        events.into_iter().map(|status| (status.id.clone(), status)).collect();
    let apps = node.apps.read().await.clone();
    let mut shown = Vec::new();
    for deployed in apps.values() {
        for served in &deployed.components {
            if let Some(component) = deployed.app.component(served.id.component()) {
                let events = events.remove(&served.id);
                shown.push(one(node, &deployed.app, component, served, events).await);
            }
        }
    }
    let upstreams: Vec<Value> = apps.values().flat_map(|deployed| node.show_upstreams(&deployed.app)).collect();
    json_ok(&json!({ "components": shown, "upstreams": upstreams }))
}

async fn one(node: &Node, app: &App, component: &Component, served: &Served, events: Option<ComponentEvents>) -> Value {
    let routes: Vec<Value> = routes(app)
        .into_iter()
        .filter(|route| route["component"] == component.name.as_str())
        .map(|route| route["route"].clone())
        .collect();
    let limits = &component.hull.limits;
    let metrics = node.metrics().component(&served.id);
    resources::measure(node, served, &metrics, events.as_ref());
    let storage = storage(served, &metrics).await;
    json!({
        "app": served.id.app(),
        "component": served.id.component(),
        "version": served.version.id().to_string(),
        "reuse": component.hull.reuse.as_str(),
        "exports": served.version.exports().names,
        "routes": routes,
        "subscriptions": events.as_ref().map(subscriptions).unwrap_or_default(),
        "events": events.as_ref().map(counts),
        "invocations": invocations(node, &served.id),
        "storage": storage,
        "bulkhead": bulkhead(node, &served.id),
        "cpu_used_ms": served.version.cpu_used().as_millis() as u64,
        "resources": resources::shown(&metrics),
        "limits": {
            "memory_bytes": limits.memory.get(),
            "cpu_per_invocation_ms": limits.cpu_per_invocation.as_millis() as u64,
            "cpu_rate_percent": limits.cpu_rate.map(hull_manifest::Percent::get),
            "messages_rate": limits.messages.rate.to_string(),
            "time_ms": limits.time.as_millis() as u64,
            "concurrency": limits.concurrency.get(),
            "consumers": limits.consumers.get(),
            "logs_bytes_per_second": limits.logs.bytes_per_second(),
        },
    })
}

fn subscriptions(events: &ComponentEvents) -> Vec<Value> {
    let shown = events.consumers.iter().map(|consumer| {
        json!({
            "pattern": consumer.pattern,
            "backlog": consumer.backlog,
            "in_flight": consumer.in_flight,
            "redelivered": consumer.redelivered,
            "lag_ms": consumer.lag.as_millis() as u64,
        })
    });
    shown.collect()
}

fn counts(events: &ComponentEvents) -> Value {
    let counts = &events.counts;
    json!({
        "handled": counts.handled,
        "already_handled": counts.already_handled,
        "retried": counts.retried,
        "returned": counts.returned,
        "dead": counts.dead,
        "published": counts.published,
        "refused": counts.refused,
    })
}

fn invocations(node: &Node, id: &ComponentId) -> Value {
    let metrics = node.metrics().component(id);
    let (ok, failed) = metrics.invocations_ended();
    json!({ "ok": ok, "failed": failed, "running": metrics.invocations_in_flight() })
}

async fn storage(served: &Served, metrics: &ComponentMetrics) -> Value {
    if !served.database.exists() {
        let limit = served.database.limits().storage_bytes;
        metrics.set_used(Resource::Storage, 0.0);
        return json!({ "bytes_used": 0, "bytes_limit": limit, "outbox": 0, "dead_letters": 0, "units_waiting": 0 });
    }
    match served.database.statistics().await {
        Ok(statistics) => {
            metrics.set_used(Resource::Storage, statistics.bytes_used as f64);
            json!({
                "bytes_used": statistics.bytes_used,
                "bytes_limit": statistics.bytes_limit,
                "outbox": statistics.outbox_rows,
                "dead_letters": statistics.dead_letters,
                "units_waiting": statistics.units_waiting,
                "commits": statistics.commits,
            })
        }
        Err(error) => json!({ "problem": error.to_string() }),
    }
}

pub(crate) fn bulkhead(node: &Node, id: &ComponentId) -> Value {
    let Some(status) = node.dispatch.status(id) else { return Value::Null };
    json!({
        "name": status.name,
        "inside": status.inside,
        "waiting": status.waiting,
        "shed": status.shed,
        "concurrency_max": status.limits.concurrency_max,
        "queue_max": status.limits.queue_max,
    })
}
