//! The series of one component, found once and then only added to: no label lookups and no locks per request.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hull_invocation::{Cause, ComponentId, CountRejected, EventOutcome, Failure, Resource};
use parking_lot::{Mutex, RwLock};
use prometheus::core::{MetricVec, MetricVecBuilder};
use prometheus::{Counter, Histogram, IntCounter, IntCounterVec, IntGauge, Registry};

use crate::events::EventFigures;
use crate::metrics::Families;
use crate::resources::{ResourceUsage, Resources};

const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const CAUSES: [Cause; 3] = [Cause::Http, Cause::Event, Cause::Call];
/// `ok`, then every kind of [`Failure`].
const OUTCOMES: [&str; 16] = [
    "ok",
    "unknown-component",
    "no-handler",
    "shed",
    "deadline-exceeded",
    "cpu-exceeded",
    "memory-exceeded",
    "trapped",
    "no-response",
    "body-too-large",
    "bad-request",
    "chain-too-long",
    "cancelled",
    "unavailable",
    "unreachable",
    "internal",
];
const EVENT_OUTCOMES: [&str; 6] = ["handled", "already-handled", "retry", "reject", "conflict", "failed"];

/// What is counted about one component.
#[derive(Debug)]
pub struct ComponentMetrics {
    component: ComponentId,
    /// Where its series are made that are made late; nobody's once it is no longer deployed.
    families: RwLock<Arc<Families>>,
    http_requests: [OnceLock<IntCounter>; STATUS_CLASSES.len()],
    http_duration: Histogram,
    http_in_flight: IntGauge,
    invocations: [[OnceLock<IntCounter>; OUTCOMES.len()]; CAUSES.len()],
    in_flight: IntGauge,
    events: [OnceLock<IntCounter>; EVENT_OUTCOMES.len()],
    events_published: IntCounter,
    cpu_seconds: Counter,
    /// What the account of the version that serves had counted when it was looked at last.
    cpu_seen: Mutex<Duration>,
    log_bytes: IntCounter,
    log_bytes_dropped: IntCounter,
    resources: Resources,
}

impl ComponentMetrics {
    pub(crate) fn new(component: &ComponentId, families: &Arc<Families>) -> Self {
        let labels = [component.app(), component.component()];
        Self {
            component: component.clone(),
            families: RwLock::new(Arc::clone(families)),
            http_requests: Default::default(),
            http_duration: families.http_duration.with_label_values(&labels),
            http_in_flight: families.http_in_flight.with_label_values(&labels),
            invocations: Default::default(),
            in_flight: families.in_flight.with_label_values(&labels),
            events: Default::default(),
            events_published: families.events_published.with_label_values(&labels),
            cpu_seconds: families.cpu_seconds.with_label_values(&labels),
            cpu_seen: Mutex::default(),
            log_bytes: families.log_bytes.with_label_values(&labels),
            log_bytes_dropped: families.log_bytes_dropped.with_label_values(&labels),
            resources: Resources::default(),
        }
    }

    /// A request for this component came in through the gateway.
    pub fn http_started(&self) {
        self.http_in_flight.inc();
    }

    /// Its answer has been written, or given up. To be called once for each [`Self::http_started`].
    pub fn http_left(&self) {
        self.http_in_flight.dec();
    }

    /// A request was answered with that status after that time.
    pub fn http_ended(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, STATUS_CLASSES.len()) - 1;
        if let (Some(cell), Some(word)) = (self.http_requests.get(class), STATUS_CLASSES.get(class)) {
            cell.get_or_init(|| self.counter(|families| &families.http_requests, &[word])).inc();
        }
        self.http_duration.observe(took.as_secs_f64());
    }

    /// An invocation of this component has been admitted.
    pub fn invocation_started(&self) {
        self.in_flight.inc();
    }

    /// It has ended. To be called once for each [`Self::invocation_started`].
    pub fn invocation_ended(&self, cause: Cause, outcome: Result<(), &Failure>) {
        self.in_flight.dec();
        self.invocation_counted(cause, outcome);
    }

    /// An invocation has ended that was never admitted: shed, or refused for another reason.
    pub fn invocation_counted(&self, cause: Cause, outcome: Result<(), &Failure>) {
        if let Some(resource) = outcome.err().and_then(Failure::resource) {
            self.rejected(resource);
        }
        let word = outcome.map_or_else(Failure::kind, |()| "ok");
        let row = CAUSES.iter().position(|known| *known == cause);
        let column = OUTCOMES.iter().position(|known| *known == word);
        if let (Some(row), Some(column)) = (row, column)
            && let Some(cell) = self.invocations.get(row).and_then(|cells| cells.get(column))
        {
            cell.get_or_init(|| self.counter(|families| &families.invocations, &[cause.as_str(), word])).inc();
        }
    }

    /// How many of its invocations are running.
    pub fn invocations_in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    /// How many of its invocations have ended, whatever started them: well, and otherwise.
    pub fn invocations_ended(&self) -> (u64, u64) {
        let sum = |cells: &[OnceLock<IntCounter>]| cells.iter().filter_map(OnceLock::get).map(IntCounter::get).sum();
        let rows = self.invocations.iter().filter_map(|cells| cells.split_first());
        rows.fold((0, 0), |(ok, failed), (well, others)| {
            let other: u64 = sum(others);
            (ok + well.get().map_or(0, IntCounter::get), failed + other)
        })
    }

    /// A delivery of an event has ended, with the handler's answer or a failure.
    pub fn event_ended(&self, outcome: Result<&EventOutcome, &Failure>) {
        let column = match outcome {
            Ok(EventOutcome::Handled(_)) => 0,
            Ok(EventOutcome::AlreadyHandled) => 1,
            Ok(EventOutcome::Retry(_)) => 2,
            Ok(EventOutcome::Reject(_)) => 3,
            Ok(EventOutcome::Conflict) => 4,
            Err(_) => 5,
        };
        if let (Some(cell), Some(word)) = (self.events.get(column), EVENT_OUTCOMES.get(column)) {
            cell.get_or_init(|| self.counter(|families| &families.events, &[word])).inc();
        }
    }

    /// The bus holds another event of this component's.
    pub fn event_published(&self) {
        self.events_published.inc();
    }

    /// What waits for this component, and what it could not handle.
    pub fn set_events(&self, figures: &EventFigures) {
        self.families.read().event_figures.set(&self.component, figures);
    }

    /// The version that serves has used so much CPU time since it began. Less than before means another version.
    pub fn cpu_used(&self, total: Duration) {
        let mut seen = self.cpu_seen.lock();
        self.cpu_seconds.inc_by(total.checked_sub(*seen).unwrap_or(total).as_secs_f64());
        *seen = total;
    }

    pub(crate) fn log_written(&self, kept_bytes: usize, dropped_bytes: usize) {
        self.log_bytes.inc_by(kept_bytes as u64);
        self.log_dropped(dropped_bytes as u64);
    }

    /// How much of a resource is in use now, in its base unit.
    pub fn set_used(&self, resource: Resource, used: f64) {
        self.resources.set_used(&self.families.read().resources, &self.component, resource, used);
    }

    /// The bound of a resource, in its base unit; `None` if it has none.
    pub fn set_limit(&self, resource: Resource, limit: Option<f64>) {
        self.resources.set_limit(&self.families.read().resources, &self.component, resource, limit);
    }

    /// What is known of its resources.
    pub fn resources(&self) -> Vec<ResourceUsage> {
        self.resources.usage()
    }

    /// Lines that were cut before they came to the log.
    pub fn log_dropped(&self, bytes: u64) {
        if bytes > 0 {
            self.log_bytes_dropped.inc_by(bytes);
            self.rejected(Resource::Logs);
        }
    }

    fn counter(&self, family: impl Fn(&Families) -> &IntCounterVec, labels: &[&str]) -> IntCounter {
        let labels = [&[self.component.app(), self.component.component()], labels].concat();
        family(&self.families.read()).with_label_values(&labels)
    }

    /// Take this component's series out of the families. Series that were never used are not there to be removed. What
    /// still runs of it goes on counting, and its late series are made where nobody sees them.
    pub(crate) fn unregister(&self) {
        let families = std::mem::replace(&mut *self.families.write(), Arc::new(Families::new(&Registry::new())));
        for class in STATUS_CLASSES {
            self.remove(&families.http_requests, &[class]);
        }
        for cause in CAUSES {
            for outcome in OUTCOMES {
                self.remove(&families.invocations, &[cause.as_str(), outcome]);
            }
        }
        for outcome in EVENT_OUTCOMES {
            self.remove(&families.events, &[outcome]);
        }
        self.remove(&families.http_duration, &[]);
        self.remove(&families.http_in_flight, &[]);
        self.remove(&families.in_flight, &[]);
        self.remove(&families.events_published, &[]);
        self.remove(&families.cpu_seconds, &[]);
        self.remove(&families.log_bytes, &[]);
        self.remove(&families.log_bytes_dropped, &[]);
        families.event_figures.unregister(&self.component);
        Resources::unregister(&families.resources, &self.component);
    }

    fn remove<B: MetricVecBuilder>(&self, family: &MetricVec<B>, labels: &[&str]) {
        let labels = [&[self.component.app(), self.component.component()], labels].concat();
        drop(family.remove_label_values(&labels));
    }
}

impl CountRejected for ComponentMetrics {
    fn rejected(&self, resource: Resource) {
        self.resources.rejected(&self.families.read().resources, &self.component, resource);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_invocation::{ComponentId, Failure, Resource};

    use super::OUTCOMES;

    /// Every kind has a column: a new kind of failure must be added to the table.
    #[test]
    fn every_failure_has_a_word_in_the_table() {
        let component = ComponentId::new("shop", "orders");
        let message = String::new();
        let named = || component.clone();
        let all = [
            Failure::UnknownComponent(named()),
            Failure::NoHandler { component: named(), handler: "wasi:http" },
            Failure::Shed { component: named(), resource: Resource::Host, retry_after: Duration::ZERO },
            Failure::DeadlineExceeded { component: named(), after: Duration::ZERO },
            Failure::CpuExceeded { component: named(), limit: Duration::ZERO },
            Failure::MemoryExceeded { component: named(), limit_bytes: 0 },
            Failure::Trapped { component: named(), message: message.clone() },
            Failure::NoResponse { component: named(), message: message.clone() },
            Failure::BodyTooLarge { component: named(), limit_bytes: 0 },
            Failure::BadRequest(message.clone()),
            Failure::ChainTooLong { component: named(), message: message.clone() },
            Failure::Cancelled,
            Failure::Unavailable { component: named(), message: message.clone() },
            Failure::Unreachable { component: named(), message: message.clone() },
            Failure::Internal(message),
        ];
        let words: Vec<&str> = std::iter::once("ok").chain(all.iter().map(Failure::kind)).collect();
        assert_eq!(words, OUTCOMES);
    }
}
