//! Use, bound and refusals of each resource of a component: what `hull status` shows side by side, and metrics.

use std::sync::OnceLock;

use hull_invocation::{ComponentId, Resource};
use parking_lot::Mutex;
use prometheus::{GaugeVec, IntCounter, IntCounterVec};

const COUNT: usize = Resource::ALL.len();

/// The families, with a series per component and resource.
#[derive(Debug)]
pub(crate) struct ResourceFamilies {
    pub(crate) used: GaugeVec,
    pub(crate) limit: GaugeVec,
    pub(crate) rejected: IntCounterVec,
}

/// One component's.
#[derive(Debug)]
pub(crate) struct Resources {
    rejected: [OnceLock<IntCounter>; COUNT],
    measured: Mutex<[Measured; COUNT]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    used: Option<f64>,
    limit: Option<f64>,
}

/// What is known of one resource, in its base unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResourceUsage {
    /// Which resource.
    pub resource: Resource,
    /// How much is in use now; none where that cannot be told at one moment.
    pub used: Option<f64>,
    /// Its bound, if it has one.
    pub limit: Option<f64>,
    /// How often something was refused, ended or cut for it.
    pub rejected: u64,
}

impl Default for Resources {
    fn default() -> Self {
        Self { rejected: [const { OnceLock::new() }; COUNT], measured: Mutex::new([Measured::default(); COUNT]) }
    }
}

impl Resources {
    pub(crate) fn rejected(&self, families: &ResourceFamilies, id: &ComponentId, resource: Resource) {
        if let Some(counter) = self.counter(families, id, resource) {
            counter.inc();
        }
    }

    pub(crate) fn set_used(&self, families: &ResourceFamilies, id: &ComponentId, resource: Resource, used: f64) {
        if let Some(measured) = self.measured.lock().get_mut(resource as usize) {
            measured.used = Some(used);
        }
        families.used.with_label_values(&gauge_labels(id, resource)).set(used);
    }

    /// A bound that is gone takes its series along.
    pub(crate) fn set_limit(
        &self,
        families: &ResourceFamilies,
        id: &ComponentId,
        resource: Resource,
        limit: Option<f64>,
    ) {
        if let Some(measured) = self.measured.lock().get_mut(resource as usize) {
            measured.limit = limit;
        }
        let labels = gauge_labels(id, resource);
        match limit {
            Some(limit) => {
                families.limit.with_label_values(&labels).set(limit);
                self.counter(families, id, resource);
            }
            None => drop(families.limit.remove_label_values(&labels)),
        }
    }

    /// Everything that has a bound, is used, or was refused.
    pub(crate) fn usage(&self) -> Vec<ResourceUsage> {
        let measured = *self.measured.lock();
        let all = Resource::ALL.into_iter().zip(measured).zip(&self.rejected);
        let known = all.map(|((resource, Measured { used, limit }), rejected)| {
            let rejected = rejected.get().map_or(0, IntCounter::get);
            ResourceUsage { resource, used, limit, rejected }
        });
        known.filter(|usage| usage.used.is_some() || usage.limit.is_some() || usage.rejected > 0).collect()
    }

    /// Series that were never used are not there to be removed.
    pub(crate) fn unregister(families: &ResourceFamilies, id: &ComponentId) {
        for resource in Resource::ALL {
            drop(families.used.remove_label_values(&gauge_labels(id, resource)));
            drop(families.limit.remove_label_values(&gauge_labels(id, resource)));
            drop(families.rejected.remove_label_values(&[id.app(), id.component(), resource.as_str()]));
        }
    }

    fn counter(&self, families: &ResourceFamilies, id: &ComponentId, resource: Resource) -> Option<&IntCounter> {
        let made = || families.rejected.with_label_values(&[id.app(), id.component(), resource.as_str()]);
        self.rejected.get(resource as usize).map(|cell| cell.get_or_init(made))
    }
}

fn gauge_labels(id: &ComponentId, resource: Resource) -> [&str; 4] {
    [id.app(), id.component(), resource.as_str(), resource.unit()]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_invocation::{Cause, ComponentId, CountRejected, Failure, Resource};

    use crate::Metrics;

    /// The tables are indexed by it.
    #[test]
    fn resources_are_listed_in_their_own_order() {
        for (index, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource as usize, index, "{resource:?}");
        }
    }

    #[test]
    fn use_bound_and_refusals_stand_side_by_side() {
        let metrics = Metrics::new();
        let id = ComponentId::new("shop", "orders");
        let orders = metrics.component(&id);
        orders.set_limit(Resource::Storage, Some(1000.0));
        orders.set_limit(Resource::CpuRate, None);
        orders.set_used(Resource::Storage, 10.0);
        orders.rejected(Resource::Storage);
        let late = Failure::DeadlineExceeded { component: id.clone(), after: Duration::ZERO };
        orders.invocation_counted(Cause::Http, Err(&late));
        let text = metrics.render();
        for line in [
            r#"hull_resource_used{app="shop",component="orders",resource="storage",unit="bytes"} 10"#,
            r#"hull_resource_limit{app="shop",component="orders",resource="storage",unit="bytes"} 1000"#,
            r#"hull_resource_rejected_total{app="shop",component="orders",resource="storage"} 1"#,
            r#"hull_resource_rejected_total{app="shop",component="orders",resource="time"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        let usage = orders.resources();
        assert_eq!(usage.len(), 2, "{usage:?}");
        assert_eq!(usage.iter().map(|one| one.rejected).sum::<u64>(), 2);

        orders.set_limit(Resource::Storage, None);
        assert!(!metrics.render().contains("hull_resource_limit{"));
        metrics.remove(&id);
        assert!(!metrics.render().contains("orders"));
    }
}
