//! From a component of the manifest to what engine, door, storage and gateway each want to know of it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hull_config::{LiveFlags, Settings};
use hull_contracts::Contract;
use hull_dispatch::{Account, BulkheadLimits};
use hull_engine::{ComponentBytes, ComponentSpec, Grants, InstanceLimits, Mount, Reuse};
use hull_http::{AllowedHosts, Egress, EgressLimits};
use hull_invocation::{ComponentId, CountRejected, Resource};
use hull_manifest::{App, Bulkhead, Component, HttpTarget, Limits};
use hull_messaging::{MessageRate, MessagingPolicy};
use hull_storage::{Database, DatabaseOptions, StatementMeter, StorageLimits};

use crate::deploy::contracts::event_schemas;
use crate::node::Node;
use crate::node::observe::Keeping;
use crate::node::resources::DatabaseWatch;

/// What bounds a component's ways out. Kept beside the version to be looked at while it serves.
#[derive(Clone)]
pub(crate) struct WaysOut {
    pub(crate) egress: Arc<Egress>,
    pub(crate) messaging: Arc<MessagingPolicy>,
    pub(crate) log: Arc<Keeping>,
}

impl WaysOut {
    /// What is left for the version before is left for this one: deploying again gives nothing anew.
    pub(crate) fn of(
        node: &Node,
        id: &ComponentId,
        component: &Component,
        contract: Option<&Contract>,
        before: Option<&Self>,
    ) -> Self {
        let limits = &component.hull.limits;
        let grants = component.outbound_hosts().cloned().collect();
        let allowed = AllowedHosts::new(id.clone(), grants);
        let messaging = MessagingPolicy {
            component: id.clone(),
            publishes: component.hull.publishes.clone(),
            schemas: event_schemas(contract),
            event_bytes_max: limits.messages.size_max.get(),
            rate: before.map_or_else(
                || Arc::new(MessageRate::new(limits.messages.rate)),
                |before| Arc::clone(&before.messaging.rate),
            ),
            rejected: node.metrics().component(id),
        };
        let egress = Egress::new(allowed, egress_limits(limits), node.door(), node.metrics().component(id));
        let log = || Keeping::new(node.logs().component(id), node.metrics().component(id), limits.logs);
        Self {
            egress: Arc::new(match before {
                None => egress,
                Some(before) => egress.after(&before.egress),
            }),
            messaging: Arc::new(messaging),
            log: before.map_or_else(|| Arc::new(log()), |before| Arc::clone(&before.log)),
        }
    }

    /// The version serves: its bounds count from now on, for what is left of the one before as well.
    pub(crate) fn set_limits(&self, limits: &Limits) {
        self.egress.set_places();
        self.messaging.rate.set(limits.messages.rate);
        self.log.set(limits.logs);
    }
}

/// What was made ready for a component.
pub(crate) struct Parts {
    pub(crate) id: ComponentId,
    pub(crate) bytes: ComponentBytes,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) database: Database,
    pub(crate) account: Arc<Account>,
    pub(crate) ways_out: WaysOut,
    pub(crate) flags: Arc<LiveFlags>,
}

/// Everything the engine wants to know.
pub(crate) fn component_spec(node: &Node, app: &App, component: &Component, parts: Parts) -> ComponentSpec {
    let Parts { id, bytes, mounts, database, account, ways_out, flags } = parts;
    let WaysOut { egress, messaging, log } = ways_out;
    let limits = &component.hull.limits;
    let is_component = |target: &HttpTarget| matches!(target, HttpTarget::Component(name) if *name == component.name);
    ComponentSpec {
        id,
        bytes,
        reuse: reuse(component),
        limits: InstanceLimits { memory_bytes: limits.memory.get(), cpu: limits.cpu_per_invocation },
        memory_reserved_bytes: component.hull.reserve.memory.get(),
        account,
        environment: component.environment.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        settings: Arc::new(Settings::of(app, component)),
        flags,
        mounts,
        egress,
        log_sink: log,
        grants: Grants {
            keyvalue: component.key_value,
            sql: component.sqlite,
            publish: !component.hull.publishes.is_empty(),
        },
        database,
        messaging,
        bus: node.bus(),
        serves_http: app.http_triggers.iter().any(|trigger| is_component(&trigger.target)),
        serves_events: app.subscriptions(component).next().is_some(),
    }
}

fn reuse(component: &Component) -> Reuse {
    let invocations_max = component.hull.max_invocations.get();
    match component.hull.reuse {
        hull_manifest::Reuse::Never => Reuse::Never,
        hull_manifest::Reuse::Serial => Reuse::Serial { invocations_max },
        hull_manifest::Reuse::Concurrent => Reuse::Concurrent { invocations_max },
    }
}

fn egress_limits(limits: &Limits) -> EgressLimits {
    EgressLimits {
        concurrency: limits.outbound.concurrency.get() as usize,
        time: limits.outbound.time,
        body_bytes_max: limits.outbound.body_max.get(),
    }
}

/// What a component's database is opened with.
pub(crate) fn database_options(id: &ComponentId, limits: &Limits, watch: &Arc<DatabaseWatch>) -> DatabaseOptions {
    let mut options = DatabaseOptions::new(id.clone());
    options.limits = storage_limits(&options.limits, limits);
    options.meter = Some(Arc::clone(watch) as Arc<dyn StatementMeter>);
    options.rejected = Some(Arc::clone(watch) as Arc<dyn CountRejected>);
    options
}

/// The manifest's bounds, and ours for what it does not speak of.
pub(crate) fn storage_limits(defaults: &StorageLimits, limits: &Limits) -> StorageLimits {
    StorageLimits {
        storage_bytes: limits.storage.get(),
        value_bytes_max: usize::try_from(limits.value_max.get()).unwrap_or(usize::MAX),
        statement_time: limits.statement.time,
        rows_max: limits.statement.rows_max.get(),
        transaction_time: limits.transaction_time,
        ..*defaults
    }
}

/// A bulkhead as the door knows it.
pub(crate) fn bulkhead_limits(bulkhead: &Bulkhead) -> BulkheadLimits {
    BulkheadLimits {
        concurrency_max: bulkhead.concurrency.min(bulkhead.instances).get(),
        queue_max: bulkhead.queue.length,
        queue_wait_max: bulkhead.queue.wait,
    }
}

/// What is at its bound when a bulkhead turns somebody away.
pub(crate) fn bulkhead_bound(bulkhead: &Bulkhead) -> Resource {
    match bulkhead.queue.length {
        0 if bulkhead.instances <= bulkhead.concurrency => Resource::Instances,
        0 => Resource::Bulkhead,
        _ => Resource::Queue,
    }
}

/// A component's own bound inside a bulkhead that it shares: whoever finds it full waits in no further queue.
pub(crate) fn own_limits(concurrency: NonZeroU32) -> BulkheadLimits {
    BulkheadLimits { concurrency_max: concurrency.get(), queue_max: 0, queue_wait_max: Duration::ZERO }
}
