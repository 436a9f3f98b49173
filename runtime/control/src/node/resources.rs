//! The bounds of a component as telemetry names them, and its use of them: what `hull status` and metrics show.

use std::sync::Arc;
use std::time::Duration;

use hull_bus::ConsumerStatus;
use hull_dispatch::{Account, Stint};
use hull_events::ComponentEvents;
use hull_invocation::{CALL_DEPTH_MAX, CountRejected, Resource};
use hull_manifest::{App, Component};
use hull_storage::{MeteredWork, StatementMeter};
use hull_telemetry::{ComponentMetrics, EventFigures, ResourceUsage};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::deploy::Served;
use crate::deploy::component::WaysOut;
use crate::node::Node;

/// How long a look at metrics may wait for a component's database.
const STATISTICS_TIME: Duration = Duration::from_millis(200);

/// Set every bound of a component, in base units.
pub(crate) fn set_limits(metrics: &ComponentMetrics, app: &App, component: &Component) {
    let limits = &component.hull.limits;
    let (_, bulkhead) = app.bulkhead_of(component);
    let seconds = |duration: Duration| duration.as_secs_f64();
    let all = [
        (Resource::Bulkhead, f64::from(bulkhead.concurrency.get())),
        (Resource::Instances, f64::from(bulkhead.instances.get())),
        (Resource::Queue, f64::from(bulkhead.queue.length)),
        (Resource::Concurrency, f64::from(limits.concurrency.get())),
        (Resource::Memory, limits.memory.get() as f64),
        (Resource::CpuPerInvocation, seconds(limits.cpu_per_invocation)),
        (Resource::Time, seconds(limits.time)),
        (Resource::BodyIn, limits.body_in_max.get() as f64),
        (Resource::CallDepth, CALL_DEPTH_MAX as f64),
        (Resource::Storage, limits.storage.get() as f64),
        (Resource::Value, limits.value_max.get() as f64),
        (Resource::StatementTime, seconds(limits.statement.time)),
        (Resource::StatementRows, f64::from(limits.statement.rows_max.get())),
        (Resource::TransactionTime, seconds(limits.transaction_time)),
        (Resource::Consumers, f64::from(limits.consumers.get())),
        (Resource::MessageRate, f64::from(limits.messages.rate.count.get()) / seconds(limits.messages.rate.per)),
        (Resource::MessageSize, limits.messages.size_max.get() as f64),
        (Resource::Logs, limits.logs.bytes_per_second() as f64),
        (Resource::OutboundConcurrency, f64::from(limits.outbound.concurrency.get())),
        (Resource::OutboundTime, seconds(limits.outbound.time)),
        (Resource::OutboundBody, limits.outbound.body_max.get() as f64),
    ];
    for (resource, limit) in all {
        metrics.set_limit(resource, Some(limit));
    }
    metrics.set_limit(Resource::CpuRate, limits.cpu_rate.map(|rate| f64::from(rate.get()) / 100.0));
}

/// Measure what each component uses now, for whoever reads metrics. A database that is closed keeps its last figure:
/// looking must not open it again.
pub(crate) async fn measure_all(node: &Node) {
    let events = node.events.status().await;
    let apps = node.apps.read().await.clone();
    for served in apps.values().flat_map(|deployed| &deployed.upstreams) {
        node.measure_upstream(&served.id);
    }
    for served in apps.values().flat_map(|deployed| &deployed.components) {
        let metrics = node.metrics().component(&served.id);
        measure(node, served, &metrics, events.iter().find(|status| status.id == served.id));
        if served.database.is_open()
            && let Ok(Ok(statistics)) = tokio::time::timeout(STATISTICS_TIME, served.database.statistics()).await
        {
            metrics.set_used(Resource::Storage, statistics.bytes_used as f64);
        }
    }
}

/// Measure what can be told without waiting.
pub(crate) fn measure(node: &Node, served: &Served, metrics: &ComponentMetrics, events: Option<&ComponentEvents>) {
    metrics.set_used(Resource::Memory, served.version.memory_used() as f64);
    metrics.set_used(Resource::Concurrency, metrics.invocations_in_flight() as f64);
    if let Some(status) = node.dispatch.status(&served.id) {
        metrics.set_used(Resource::Bulkhead, f64::from(status.inside));
        metrics.set_used(Resource::Instances, f64::from(status.inside));
        metrics.set_used(Resource::Queue, status.waiting as f64);
    }
    if let Some(cores) = served.account.rate_used() {
        metrics.set_used(Resource::CpuRate, cores);
    }
    let WaysOut { egress, messaging, log } = &served.ways_out;
    metrics.set_used(Resource::OutboundConcurrency, f64::from(egress.in_use()));
    metrics.set_used(Resource::MessageRate, messaging.rate.used_per_second());
    metrics.set_used(Resource::Logs, log.used() as f64);
    let handling = events.map_or(0, |events| events.consumers.iter().map(|one| one.in_flight).sum());
    metrics.set_used(Resource::Consumers, handling as f64);
    if let Some(events) = events {
        metrics.set_events(&figures(events));
    }
}

/// What a component's consumers add up to.
fn figures(events: &ComponentEvents) -> EventFigures {
    let sum = |of: fn(&ConsumerStatus) -> u64| -> u64 { events.consumers.iter().map(of).sum() };
    EventFigures {
        backlog: sum(|one| one.backlog),
        in_flight: sum(|one| one.in_flight),
        redelivered: sum(|one| one.redelivered),
        lag_seconds: events.consumers.iter().map(|one| one.lag.as_secs_f64()).fold(0.0, f64::max),
        outbox: events.outbox,
        dead: events.dead_letters,
    }
}

/// Use and bound side by side.
pub(crate) fn shown(metrics: &ComponentMetrics) -> Value {
    let one = |usage: ResourceUsage| {
        let ResourceUsage { resource, used, limit, rejected } = usage;
        let (name, unit) = (resource.as_str(), resource.unit());
        json!({ "resource": name, "unit": unit, "used": used, "limit": limit, "rejected": rejected })
    };
    metrics.resources().into_iter().map(one).collect()
}

/// Whom a component's database tells of its work: account and metrics are others after a deployment, while the database
/// stays the same.
#[derive(Default)]
pub(crate) struct DatabaseWatch(Mutex<Option<Told>>);

#[derive(Clone)]
struct Told {
    account: Arc<Account>,
    metrics: Arc<ComponentMetrics>,
}

impl DatabaseWatch {
    /// Tell these from now on.
    pub(crate) fn set(&self, account: Arc<Account>, metrics: Arc<ComponentMetrics>) {
        *self.0.lock() = Some(Told { account, metrics });
    }

    fn told(&self) -> Option<Told> {
        self.0.lock().clone()
    }
}

impl StatementMeter for DatabaseWatch {
    fn begin(&self) -> Box<dyn MeteredWork> {
        Box::new(Statement(self.told().map(|told| told.account.stint())))
    }

    fn may_glance(&self) -> bool {
        self.0.lock().as_ref().is_some_and(|told| told.account.may_run_in_place(hull_clock::now()))
    }
}

/// Before the component serves, its migrations run on nobody's account.
struct Statement(Option<Stint>);

impl MeteredWork for Statement {
    fn step(&mut self) {
        if let Some(stint) = &mut self.0 {
            stint.step();
        }
    }
}

impl CountRejected for DatabaseWatch {
    fn rejected(&self, resource: Resource) {
        if let Some(told) = self.told() {
            told.metrics.rejected(resource);
        }
    }
}
