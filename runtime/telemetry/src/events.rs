//! What waits on the bus for a component, and what it could not handle: figures that are asked for and set, not
//! counted as things happen.

use hull_invocation::ComponentId;
use prometheus::GaugeVec;

/// The events of one component at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EventFigures {
    /// Events that its consumers have yet to deliver for the first time.
    pub backlog: u64,
    /// Events that are out, or wait to be delivered again.
    pub in_flight: u64,
    /// Deliveries that were not the first of their event, since the host started.
    pub redelivered: u64,
    /// The age of the oldest event that is not acknowledged, in seconds.
    pub lag_seconds: f64,
    /// Events that the bus does not hold yet; `None` keeps the last figure.
    pub outbox: Option<u64>,
    /// Its dead letters; `None` keeps the last figure.
    pub dead: Option<u64>,
}

/// A family for each figure.
#[derive(Debug)]
pub(crate) struct EventFamilies {
    pub(crate) backlog: GaugeVec,
    pub(crate) in_flight: GaugeVec,
    pub(crate) redelivered: GaugeVec,
    pub(crate) lag: GaugeVec,
    pub(crate) outbox: GaugeVec,
    pub(crate) dead: GaugeVec,
}

impl EventFamilies {
    pub(crate) fn set(&self, component: &ComponentId, figures: &EventFigures) {
        let labels = [component.app(), component.component()];
        let all = [
            (&self.backlog, Some(figures.backlog as f64)),
            (&self.in_flight, Some(figures.in_flight as f64)),
            (&self.redelivered, Some(figures.redelivered as f64)),
            (&self.lag, Some(figures.lag_seconds)),
            (&self.outbox, figures.outbox.map(|count| count as f64)),
            (&self.dead, figures.dead.map(|count| count as f64)),
        ];
        for (family, figure) in all {
            if let Some(figure) = figure {
                family.with_label_values(&labels).set(figure);
            }
        }
    }

    pub(crate) fn unregister(&self, component: &ComponentId) {
        let labels = [component.app(), component.component()];
        for family in [&self.backlog, &self.in_flight, &self.redelivered, &self.lag, &self.outbox, &self.dead] {
            // A component without events has no series.
            drop(family.remove_label_values(&labels));
        }
    }
}

#[cfg(test)]
mod tests {
    use hull_invocation::ComponentId;

    use super::EventFigures;
    use crate::metrics::Metrics;

    #[test]
    fn figures_are_shown_and_forgotten_with_their_component() {
        let (metrics, orders) = (Metrics::new(), ComponentId::new("shop", "orders"));
        let of_orders = metrics.component(&orders);
        let figures = EventFigures { backlog: 7, lag_seconds: 1.5, dead: Some(2), ..EventFigures::default() };
        of_orders.set_events(&figures);
        of_orders.set_events(&EventFigures { dead: None, ..figures });
        let labels = "{app=\"shop\",component=\"orders\"}";
        for (series, figure) in
            [("hull_events_backlog", "7"), ("hull_events_lag_seconds", "1.5"), ("hull_dead_letters", "2")]
        {
            let line = format!("{series}{labels} {figure}\n");
            assert!(metrics.render().contains(&line), "{line} in {}", metrics.render());
        }
        metrics.remove(&orders);
        assert!(!metrics.render().contains("hull_events_backlog{"));
    }
}
