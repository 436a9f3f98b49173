//! The registry behind `/metrics`. Labels are looked up once, when a component is deployed; what runs per request
//! holds the series themselves and only adds to atomics.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_invocation::ComponentId;
use parking_lot::RwLock;
use prometheus::{
    CounterVec, GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::component::ComponentMetrics;
use crate::events::EventFamilies;
use crate::process::ProcessCollector;
use crate::resources::ResourceFamilies;

/// Seconds: from what a warm guest takes to the longest `limits.time` that is usual.
const DURATION_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// All metrics of a host.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
    gateway: GatewayMetrics,
    log_lines_dropped: IntCounter,
    components: RwLock<BTreeMap<ComponentId, Arc<ComponentMetrics>>>,
}

/// What the gateway counts that belongs to no component.
#[derive(Debug, Clone)]
pub struct GatewayMetrics {
    /// Connections that are open.
    pub connections: IntGauge,
    /// Connections that were refused because of the cap.
    pub connections_refused: IntCounter,
    /// Times that accepting failed, for want of file descriptors or memory.
    pub accept_errors: IntCounter,
    /// Requests answered by the gateway itself: no route, or malformed.
    pub requests_refused: IntCounter,
}

/// The families that have a series per component.
#[derive(Debug)]
pub(crate) struct Families {
    pub(crate) http_requests: IntCounterVec,
    pub(crate) http_duration: HistogramVec,
    pub(crate) http_in_flight: IntGaugeVec,
    pub(crate) invocations: IntCounterVec,
    pub(crate) in_flight: IntGaugeVec,
    pub(crate) events: IntCounterVec,
    pub(crate) events_published: IntCounterVec,
    pub(crate) cpu_seconds: CounterVec,
    pub(crate) log_bytes: IntCounterVec,
    pub(crate) log_bytes_dropped: IntCounterVec,
    pub(crate) resources: ResourceFamilies,
    pub(crate) event_figures: EventFamilies,
}

impl Metrics {
    /// A registry of its own, with the process's memory, CPU and file descriptors in it.
    pub fn new() -> Self {
        let registry = Registry::new();
        let families = Arc::new(Families::new(&registry));
        let gateway = GatewayMetrics::new(&registry);
        register(&registry, Box::new(ProcessCollector::new()));
        let dropped = "Lines that standard error was too slow for.";
        let log_lines_dropped = must(IntCounter::with_opts(Opts::new("hull_log_lines_dropped_total", dropped)));
        register(&registry, Box::new(log_lines_dropped.clone()));
        Self { registry, families, gateway, log_lines_dropped, components: RwLock::default() }
    }

    /// The series of that component, made if they are not there yet. To be kept, not asked for per request.
    pub fn component(&self, component: &ComponentId) -> Arc<ComponentMetrics> {
        if let Some(metrics) = self.components.read().get(component) {
            return Arc::clone(metrics);
        }
        let mut components = self.components.write();
        let metrics = components
            .entry(component.clone())
            .or_insert_with(|| Arc::new(ComponentMetrics::new(component, &self.families)));
        Arc::clone(metrics)
    }

    /// Forget the series of a component that is no longer deployed.
    pub fn remove(&self, component: &ComponentId) {
        if let Some(metrics) = self.components.write().remove(component) {
            metrics.unregister();
        }
    }

    /// What the gateway counts for itself.
    pub fn gateway(&self) -> GatewayMetrics {
        self.gateway.clone()
    }

    /// Counts the lines that the log's writer drops.
    pub fn log_lines_dropped(&self) -> IntCounter {
        self.log_lines_dropped.clone()
    }

    /// For crates that have metrics of their own.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Everything in the text format, for `/metrics` (content type `text/plain; version=0.0.4`).
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl GatewayMetrics {
    fn new(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str| {
            let counter = must(IntCounter::with_opts(Opts::new(name, help)));
            register(registry, Box::new(counter.clone()));
            counter
        };
        let connections = must(IntGauge::with_opts(Opts::new("hull_connections", "Open client connections.")));
        register(registry, Box::new(connections.clone()));
        Self {
            connections,
            connections_refused: counter("hull_connections_refused_total", "Connections above the cap."),
            accept_errors: counter("hull_accept_errors_total", "Failures to accept a connection."),
            requests_refused: counter("hull_requests_refused_total", "Requests malformed or without a route."),
        }
    }
}

impl Families {
    pub(crate) fn new(registry: &Registry) -> Self {
        const COMPONENT: [&str; 2] = ["app", "component"];
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let labels = [&COMPONENT[..], labels].concat();
            let family = must(IntCounterVec::new(Opts::new(name, help), &labels));
            register(registry, Box::new(family.clone()));
            family
        };
        let gauges = |name: &str, help: &str| {
            let family = must(IntGaugeVec::new(Opts::new(name, help), &COMPONENT));
            register(registry, Box::new(family.clone()));
            family
        };
        let measures = |name: &str, help: &str| {
            let labels = [&COMPONENT[..], &["resource", "unit"]].concat();
            let family = must(GaugeVec::new(Opts::new(name, help), &labels));
            register(registry, Box::new(family.clone()));
            family
        };
        let rejected = "Times that something was refused, ended or cut because a resource was at its bound.";
        let resources = ResourceFamilies {
            used: measures("hull_resource_used", "What is in use of a bounded resource."),
            limit: measures("hull_resource_limit", "The bound of a resource."),
            rejected: counters("hull_resource_rejected_total", rejected, &["resource"]),
        };
        let figures = |name: &str, help: &str| {
            let family = must(GaugeVec::new(Opts::new(name, help), &COMPONENT));
            register(registry, Box::new(family.clone()));
            family
        };
        let event_figures = EventFamilies {
            backlog: figures("hull_events_backlog", "Events that wait on the bus for their first delivery."),
            in_flight: figures("hull_events_in_flight", "Events that are out or wait to be delivered again."),
            redelivered: figures("hull_events_redelivered", "Deliveries that were not the first, since the start."),
            lag: figures("hull_events_lag_seconds", "The age of the oldest event that is not acknowledged."),
            outbox: figures("hull_events_outbox", "Published events that the bus does not hold yet."),
            dead: figures("hull_dead_letters", "Events that could not be handled, kept until replayed or purged."),
        };
        let duration = prometheus::HistogramOpts::new(
            "hull_http_request_duration_seconds",
            "From the request's head to the last byte of its answer.",
        );
        let http_duration = must(HistogramVec::new(duration.buckets(DURATION_BUCKETS.to_vec()), &COMPONENT));
        register(registry, Box::new(http_duration.clone()));
        let cpu = Opts::new("hull_cpu_seconds_total", "CPU time that guests used.");
        let cpu_seconds = must(CounterVec::new(cpu, &COMPONENT));
        register(registry, Box::new(cpu_seconds.clone()));
        Self {
            cpu_seconds,
            http_requests: counters("hull_http_requests_total", "Requests answered, by status class.", &["status"]),
            http_duration,
            http_in_flight: gauges("hull_http_requests_in_flight", "Requests that are being answered."),
            invocations: counters("hull_invocations_total", "Ended invocations.", &["cause", "outcome"]),
            in_flight: gauges("hull_invocations_in_flight", "Invocations that are running."),
            events: counters("hull_events_total", "Deliveries of events, by how they ended.", &["outcome"]),
            events_published: counters("hull_events_published_total", "Events that the bus holds.", &[]),
            log_bytes: counters("hull_log_bytes_total", "Bytes logged.", &[]),
            log_bytes_dropped: counters("hull_log_bytes_dropped_total", "Bytes cut from the log.", &[]),
            resources,
            event_figures,
        }
    }
}

/// Names and labels are constants of this crate: a wrong one shows at the first start of any test.
#[allow(clippy::expect_used)]
fn must<T>(made: prometheus::Result<T>) -> T {
    made.expect("metric names and labels are valid")
}

fn register(registry: &Registry, collector: Box<dyn prometheus::core::Collector>) {
    must(registry.register(collector));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_invocation::{Cause, ComponentId, EventOutcome, Failure, Resource};

    use super::Metrics;
    use crate::events::EventFigures;

    #[test]
    fn series_appear_when_used_and_go_with_their_component() {
        let metrics = Metrics::new();
        let id = ComponentId::new("shop", "orders");
        let orders = metrics.component(&id);
        assert!(!metrics.render().contains("hull_http_requests_total{"));

        orders.cpu_used(Duration::from_millis(500));
        orders.cpu_used(Duration::from_millis(750));
        // Another version begins anew.
        orders.cpu_used(Duration::from_millis(250));
        orders.http_ended(404, Duration::from_millis(3));
        orders.invocation_started();
        orders.invocation_ended(Cause::Event, Err(&Failure::Cancelled));
        orders.event_ended(Ok(&EventOutcome::AlreadyHandled));
        orders.invocation_counted(Cause::Call, Ok(()));
        orders.invocation_counted(Cause::Http, Ok(()));
        assert_eq!((orders.invocations_ended(), orders.invocations_in_flight()), ((2, 1), 0));
        let text = metrics.render();
        for line in [
            r#"hull_cpu_seconds_total{app="shop",component="orders"} 1"#,
            r#"hull_http_requests_total{app="shop",component="orders",status="4xx"} 1"#,
            r#"hull_http_request_duration_seconds_bucket{app="shop",component="orders",le="0.005"} 1"#,
            r#"hull_invocations_total{app="shop",cause="event",component="orders",outcome="cancelled"} 1"#,
            r#"hull_invocations_in_flight{app="shop",component="orders"} 0"#,
            r#"hull_events_total{app="shop",component="orders",outcome="already-handled"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }

        metrics.remove(&id);
        assert!(!metrics.render().contains("orders"));
        metrics.component(&id).http_ended(200, Duration::ZERO);
        assert!(metrics.render().contains(r#"status="2xx"} 1"#));
    }

    #[test]
    fn what_still_runs_of_a_component_that_is_gone_brings_no_series_back() {
        let metrics = Metrics::new();
        let id = ComponentId::new("shop", "orders");
        let orders = metrics.component(&id);
        orders.invocation_started();
        metrics.remove(&id);
        let late = Failure::DeadlineExceeded { component: id, after: Duration::ZERO };
        orders.invocation_ended(Cause::Http, Err(&late));
        orders.http_ended(504, Duration::from_secs(1));
        orders.event_ended(Err(&late));
        orders.set_used(Resource::Memory, 1.0);
        orders.set_limit(Resource::Memory, Some(2.0));
        orders.log_dropped(7);
        orders.set_events(&EventFigures { dead: Some(1), ..EventFigures::default() });
        let text = metrics.render();
        assert!(!text.contains("orders"), "{text}");
        assert_eq!(orders.invocations_ended(), (0, 1), "it is counted where it ran");
    }

    #[test]
    fn the_process_is_measured() {
        let text = Metrics::new().render();
        let resident = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        let bytes: f64 = resident.and_then(|number| number.parse().ok()).expect("a number");
        assert!(bytes > 1024.0 * 1024.0);
    }
}
