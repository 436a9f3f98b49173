//! The relay: takes a component's outbox to the bus, in the order of commits, once each. A row leaves the outbox only
//! after the bus holds its event; what is sent twice because the host ended in between, the bus knows by its key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hull_bus::{Bus, BusError, Published};
use hull_invocation::{Event, EventKey};
use hull_storage::{Outbox, OutboxRow, StorageError};
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::config::ComponentConfig;
use crate::counts::{Counters, count};
use crate::phase::{Phase, Phases};

/// How many rows are read and published together.
const ROWS_MAX: usize = 100;
/// A timer never sleeps longer than this: the wall clock may step.
const SLEEP_MAX: Duration = Duration::from_mins(1);

/// One component's relay.
pub(crate) struct Relay {
    pub(crate) config: ComponentConfig,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) outbox: Outbox,
    pub(crate) counters: Arc<Counters>,
}

/// What one look at the outbox came to.
enum Step {
    /// Something went out; there may be more.
    Moved,
    /// There is nothing to send before this time, or before something is added.
    Idle(Option<Instant>),
    /// Nothing can be sent now.
    Blocked(String),
}

impl Relay {
    /// Until the component drains and nothing more can go out. What is in the outbox then stays for the next one.
    pub(crate) async fn run(self, phases: Phases) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(10));
        let mut blocked: Option<String> = None;
        loop {
            match self.step().await {
                Step::Moved => {
                    backoff.reset();
                    if blocked.take().is_some() {
                        info!(component = %self.config.id, "its events go out again");
                    }
                }
                Step::Idle(_) | Step::Blocked(_) if phases.is(Phase::Draining) => return,
                Step::Idle(until) => {
                    backoff.reset();
                    tokio::select! {
                        () = phases.reached(Phase::Draining) => {}
                        () = self.outbox.wait() => {}
                        () = sleep_until(until) => {}
                    }
                }
                Step::Blocked(reason) => {
                    if blocked.as_ref() != Some(&reason) {
                        warn!(component = %self.config.id, reason, "its events cannot go out; they wait in its outbox");
                        blocked = Some(reason);
                    }
                    let delay = backoff.next(hull_clock::random_u64());
                    tokio::select! {
                        () = phases.reached(Phase::Draining) => {}
                        () = tokio::time::sleep_until((hull_clock::now() + delay).into()) => {}
                    }
                }
            }
        }
    }

    async fn step(&self) -> Step {
        let now_ms = hull_clock::unix_ms();
        let rows = match self.outbox.next(ROWS_MAX, now_ms).await {
            Ok(rows) => rows,
            Err(error) => return Step::Blocked(error.to_string()),
        };
        if rows.is_empty() {
            return match self.outbox.next_due().await {
                Ok(due) => Step::Idle(due.map(|due| wake_at(due, now_ms))),
                Err(error) => Step::Blocked(error.to_string()),
            };
        }
        let mut rest = &rows[..];
        while let Some(first) = rest.first() {
            let granted = rest.iter().take_while(|row| self.config.may_publish(&row.event.subject)).count();
            let sent = if granted == 0 {
                self.refuse(first, self.not_granted(first)).await.map(|()| 1)
            } else {
                self.send(rest.get(..granted).unwrap_or_default()).await
            };
            match sent {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(reason) => return Step::Blocked(reason),
            }
        }
        Step::Moved
    }

    /// Publish rows in order; how many are done with.
    async fn send(&self, rows: &[OutboxRow]) -> Result<usize, String> {
        let events: Vec<Event> = rows.iter().map(|row| self.event_of(row)).collect();
        let results = self.bus.publish_all(self.config.id.app(), &events).await;
        let held: Vec<(&OutboxRow, Published)> =
            rows.iter().zip(&results).map_while(|(row, result)| Some((row, *result.as_ref().ok()?))).collect();
        if !held.is_empty() {
            let seqs: Vec<i64> = held.iter().map(|(row, _)| row.seq).collect();
            for (_, published) in &held {
                if !published.duplicate {
                    count(&self.counters.published);
                    self.config.metrics.event_published();
                }
            }
            self.outbox.published(&seqs).await.map_err(|error| error.to_string())?;
        }
        let failed = rows.get(held.len()).zip(results.into_iter().find_map(Result::err));
        let Some((row, error)) = failed else { return Ok(held.len()) };
        match refusal(error) {
            Ok(reason) => self.refuse(row, reason).await.map(|()| held.len() + 1),
            Err(temporary) => Err(temporary.to_string()),
        }
    }

    fn event_of(&self, row: &OutboxRow) -> Event {
        let event = &row.event;
        Event {
            key: EventKey { source: self.config.source(), id: event.id.clone() },
            subject: event.subject.clone(),
            time: event.time.clone(),
            headers: event.headers.clone(),
            payload: event.payload.clone(),
        }
    }

    fn not_granted(&self, row: &OutboxRow) -> StorageError {
        let (component, subject) = (self.config.id.component(), &row.event.subject);
        StorageError::Refused(format!(
            "{component} may not publish {subject}: add it to `publishes` in [component.{component}.tool.hull]"
        ))
    }

    async fn refuse(&self, row: &OutboxRow, reason: StorageError) -> Result<(), String> {
        let (component, id, subject) = (&self.config.id, &row.event.id, &row.event.subject);
        error!(%component, id, subject, %reason, "an event cannot go out");
        let refused = self.outbox.refused(row, &self.config.source(), reason).await;
        refused.map(|()| count(&self.counters.refused)).map_err(|error| error.to_string())
    }
}

/// What the bus will never take, in the words of the storage; everything else may come right by itself.
fn refusal(error: BusError) -> Result<StorageError, BusError> {
    match error {
        BusError::IdReused { source_name, id, .. } => Ok(StorageError::IdReused { source_name, id }),
        BusError::Invalid(_) | BusError::TooLarge { .. } => Ok(StorageError::Invalid(error.to_string())),
        other => Err(other),
    }
}

fn wake_at(due_ms: u64, now_ms: u64) -> Instant {
    hull_clock::now() + Duration::from_millis(due_ms.saturating_sub(now_ms)).min(SLEEP_MAX)
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}
