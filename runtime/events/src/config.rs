//! What a component's events are handled with: taken from its manifest once, so that nothing else reads manifests.

use std::sync::Arc;
use std::time::Duration;

use hull_contracts::EventSchemas;
use hull_invocation::{ComponentId, Event};
use hull_manifest::{App, Component, Delivery, SubjectPattern};
use hull_storage::Database;
use hull_telemetry::ComponentMetrics;

/// One component.
#[derive(Clone)]
pub struct ComponentConfig {
    /// Which.
    pub id: ComponentId,
    /// What it handles; no two of them overlap.
    pub subscriptions: Vec<Subscription>,
    /// What it may publish.
    pub publishes: Vec<SubjectPattern>,
    /// What its events are like; none where it ships no contract.
    pub schemas: Option<Arc<EventSchemas>>,
    /// How many events it may handle at once: `limits.consumers`.
    pub consumers: usize,
    /// How long one may take: `limits.time`.
    pub time: Duration,
    /// Its marks, attempts, dead letters and outbox.
    pub database: Database,
    /// Where its deliveries are counted.
    pub metrics: Arc<ComponentMetrics>,
}

/// One pattern of a messaging trigger: one durable consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Which subjects.
    pub pattern: SubjectPattern,
    /// How they are delivered.
    pub delivery: Delivery,
}

impl ComponentConfig {
    /// What a manifest says of one of its components.
    pub fn from_manifest(app: &App, component: &Component, database: Database, metrics: Arc<ComponentMetrics>) -> Self {
        let limits = &component.hull.limits;
        let subscriptions = app
            .subscriptions(component)
            .flat_map(|trigger| {
                let subscription = |pattern: &SubjectPattern| Subscription {
                    pattern: pattern.clone(),
                    delivery: trigger.delivery.clone(),
                };
                trigger.subjects.iter().map(subscription).collect::<Vec<_>>()
            })
            .collect();
        Self {
            id: ComponentId::new(app.name.as_str(), component.name.as_str()),
            subscriptions,
            publishes: component.hull.publishes.clone(),
            schemas: None,
            consumers: limits.consumers.get() as usize,
            time: limits.time,
            database,
            metrics,
        }
    }

    /// The CloudEvents source of what it publishes.
    pub(crate) fn source(&self) -> String {
        format!("/{}/{}", self.id.app(), self.id.component())
    }

    /// Whether an event is one that it handles; what is wrong with it.
    pub(crate) fn check(&self, event: &Event) -> Result<(), String> {
        self.schemas.as_ref().map_or(Ok(()), |schemas| schemas.check(&event.subject, &event.payload))
    }

    /// Whether it may publish to a subject.
    pub(crate) fn may_publish(&self, subject: &str) -> bool {
        self.publishes.iter().any(|pattern| pattern.matches(subject))
    }
}
