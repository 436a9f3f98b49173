//! The latest lines of every component, in memory: what `hull logs` shows. Bounded in lines and in bytes per
//! component, so that one that logs without end displaces only its own lines.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hull_invocation::ComponentId;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::follow::Follower;
use crate::log::{LINE_BYTES_MAX, Level, LogIds, LogLine, LogSource, cut};
use crate::metrics::Metrics;
use crate::{ComponentMetrics, subscriber};

/// How many lines are kept of each component.
pub const RING_LINES_MAX: usize = 1_000;
/// How many bytes of text are kept of each component.
pub const RING_BYTES_MAX: usize = 1024 * 1024;

/// The logs of all components.
#[derive(Debug)]
pub struct Logs {
    metrics: Arc<Metrics>,
    components: RwLock<BTreeMap<ComponentId, Arc<ComponentLog>>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    sequence: AtomicU64,
    written: Notify,
}

/// The log of one component. Taken once when the component is deployed and kept with it.
#[derive(Debug)]
pub struct ComponentLog {
    component: ComponentId,
    metrics: Arc<ComponentMetrics>,
    shared: Arc<Shared>,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
}

impl Logs {
    /// No lines yet. `metrics` counts what is written and what is dropped.
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { metrics, components: RwLock::default(), shared: Arc::default() })
    }

    /// The log of that component, made if it is not there yet.
    pub fn component(&self, component: &ComponentId) -> Arc<ComponentLog> {
        if let Some(log) = self.components.read().get(component) {
            return Arc::clone(log);
        }
        let mut components = self.components.write();
        let log = components.entry(component.clone()).or_insert_with(|| {
            Arc::new(ComponentLog {
                component: component.clone(),
                metrics: self.metrics.component(component),
                shared: Arc::clone(&self.shared),
                ring: Mutex::default(),
            })
        });
        Arc::clone(log)
    }

    /// Forget a component that is no longer deployed.
    pub fn remove(&self, component: &ComponentId) {
        self.components.write().remove(component);
    }

    /// The last `lines_max` lines of the selected components, oldest first. `None` selects all components.
    pub fn tail(&self, selection: Option<&ComponentId>, lines_max: usize) -> Vec<LogLine> {
        let mut lines = self.after(selection, 0);
        let surplus = lines.len().saturating_sub(lines_max);
        lines.drain(..surplus);
        lines
    }

    /// Every kept line with a sequence number above `sequence`, oldest first.
    pub(crate) fn after(&self, selection: Option<&ComponentId>, sequence: u64) -> Vec<LogLine> {
        let selected: Vec<Arc<ComponentLog>> = match selection {
            Some(component) => self.components.read().get(component).cloned().into_iter().collect(),
            None => self.components.read().values().cloned().collect(),
        };
        let mut lines = Vec::new();
        for log in selected {
            let ring = log.ring.lock();
            let known = ring.lines.partition_point(|line| line.sequence <= sequence);
            lines.extend(ring.lines.range(known..).cloned());
        }
        lines.sort_by_key(|line| line.sequence);
        lines
    }

    /// Lines as they come: first the last `lines_max` kept ones, then every new one.
    pub fn follow(self: &Arc<Self>, selection: Option<ComponentId>, lines_max: usize) -> Follower {
        Follower::new(Arc::clone(self), selection, lines_max)
    }

    /// Completes at the next line that anybody writes after this future was first polled or enabled.
    pub(crate) fn written(&self) -> tokio::sync::futures::Notified<'_> {
        self.shared.written.notified()
    }
}

impl ComponentLog {
    /// Keep a line and hand it to the host's log. Line ends at its end are removed, and what exceeds
    /// [`LINE_BYTES_MAX`] is cut and counted.
    pub fn write(&self, level: Level, source: LogSource, ids: Option<LogIds>, message: &str) {
        let trimmed = message.trim_end_matches(['\n', '\r']);
        let kept = cut(trimmed, LINE_BYTES_MAX);
        self.metrics.log_written(kept.len(), trimmed.len() - kept.len());
        let mut line = LogLine {
            sequence: 0,
            unix_ms: hull_clock::unix_ms(),
            component: self.component.clone(),
            level,
            source,
            ids,
            message: kept.into(),
        };
        subscriber::emit(&line);
        let mut ring = self.ring.lock();
        // Taken under the lock, so that the lines of a ring are in the order of their numbers.
        line.sequence = self.shared.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        ring.push(line);
        drop(ring);
        self.shared.written.notify_waiters();
    }

    /// Whose log this is.
    pub fn component(&self) -> &ComponentId {
        &self.component
    }
}

impl Ring {
    fn push(&mut self, line: LogLine) {
        self.bytes += line.message.len();
        self.lines.push_back(line);
        while self.lines.len() > RING_LINES_MAX || self.bytes > RING_BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.message.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hull_invocation::ComponentId;

    use super::{Logs, RING_BYTES_MAX, RING_LINES_MAX};
    use crate::{LINE_BYTES_MAX, Level, LogSource, Metrics};

    fn logs() -> Arc<Logs> {
        Logs::new(Arc::new(Metrics::new()))
    }

    fn component(name: &str) -> ComponentId {
        ComponentId::new("shop", name)
    }

    #[test]
    fn the_tail_merges_components_in_the_order_of_writing() {
        let logs = logs();
        for (name, text) in [("a", "1"), ("b", "2\r\n"), ("a", "3")] {
            logs.component(&component(name)).write(Level::Info, LogSource::Stdout, None, text);
        }
        let texts = |selection: Option<&ComponentId>, lines_max| {
            let lines = logs.tail(selection, lines_max);
            lines.iter().map(|line| line.message.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(texts(None, 10), ["1", "2", "3"]);
        assert_eq!(texts(None, 2), ["2", "3"]);
        assert_eq!(texts(Some(&component("a")), 10), ["1", "3"]);
        assert!(texts(Some(&component("c")), 10).is_empty());
        logs.remove(&component("a"));
        assert_eq!(texts(None, 10), ["2"]);
    }

    #[test]
    fn rings_are_bounded_in_lines_and_bytes() {
        let logs = logs();
        let many = logs.component(&component("many"));
        for number in 0..RING_LINES_MAX + 10 {
            many.write(Level::Info, LogSource::Stdout, None, &number.to_string());
        }
        let lines = logs.tail(None, usize::MAX);
        assert_eq!(lines.len(), RING_LINES_MAX);
        assert_eq!(&*lines[0].message, "10");

        let large = logs.component(&component("large"));
        let text = "x".repeat(LINE_BYTES_MAX + 1);
        for _ in 0..=RING_BYTES_MAX / LINE_BYTES_MAX {
            large.write(Level::Info, LogSource::Stdout, None, &text);
        }
        let lines = logs.tail(Some(&component("large")), usize::MAX);
        assert_eq!(lines.len(), RING_BYTES_MAX / LINE_BYTES_MAX);
        assert!(lines.iter().all(|line| line.message.len() == LINE_BYTES_MAX));
    }
}
