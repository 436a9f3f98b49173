//! Forgetting marks: a mark is kept for longer than the bus could deliver its event again, and no longer.

use std::sync::Arc;
use std::time::Duration;

use hull_bus::{Bus, BusStatus};
use hull_invocation::ComponentId;
use hull_storage::Ledger;
use tracing::{debug, warn};

use crate::phase::{Phase, Phases};

/// How often.
const EVERY: Duration = Duration::from_hours(1);
/// Beyond what the bus says, for clocks that step and for acknowledgements that a crash loses.
const MARGIN: Duration = Duration::from_hours(24);

/// Until the component drains.
pub(crate) async fn run(component: ComponentId, ledger: Ledger, bus: Arc<dyn Bus>, retain: Duration, phases: Phases) {
    loop {
        tokio::select! {
            () = phases.reached(Phase::Draining) => return,
            () = tokio::time::sleep_until((hull_clock::now() + EVERY).into()) => {}
        }
        let Some(keep) = keep(&component, &bus.status().await, retain) else { continue };
        let before_ms = hull_clock::unix_ms().saturating_sub(keep.as_millis() as u64);
        match ledger.prune(before_ms).await {
            Ok(marks) => debug!(%component, marks, "old marks of handled events were forgotten"),
            Err(error) => warn!(%component, %error, "old marks of handled events could not be forgotten"),
        }
    }
}

/// How long a mark is kept: twice as long as the bus keeps any event, or as this component is behind. `None` while
/// the bus cannot say.
fn keep(component: &ComponentId, status: &BusStatus, retain: Duration) -> Option<Duration> {
    if status.problem.is_some() {
        return None;
    }
    let own = |app: &str, name: &str| app == component.app() && name == component.component();
    let consumers = status.consumers.iter().filter(|consumer| own(&consumer.app, &consumer.component));
    let lag = consumers.map(|consumer| consumer.lag).max().unwrap_or_default();
    Some(retain.max(lag) * 2 + MARGIN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_bus::{BusStatus, ConsumerStatus};
    use hull_invocation::ComponentId;

    use super::{MARGIN, keep};

    #[test]
    fn marks_outlive_what_may_still_be_delivered() {
        let (orders, day) = (ComponentId::new("shop", "orders"), Duration::from_hours(24));
        let consumer = |component: &str, lag| ConsumerStatus {
            app: "shop".into(),
            component: component.into(),
            pattern: ">".into(),
            open: 1,
            backlog: 0,
            in_flight: 0,
            redelivered: 0,
            lag,
        };
        let mut status = BusStatus { consumers: vec![consumer("payments", day * 99)], ..BusStatus::default() };
        assert_eq!(keep(&orders, &status, day * 7), Some(day * 14 + MARGIN));
        status.consumers.push(consumer("orders", day * 30));
        assert_eq!(keep(&orders, &status, day * 7), Some(day * 60 + MARGIN));
        status.problem = Some("away".into());
        assert_eq!(keep(&orders, &status, day * 7), None);
    }
}
