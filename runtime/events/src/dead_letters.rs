//! Dead letters: looked at, replayed, purged.
//!
//! A replay runs the handler once more, for that component alone. The letter leaves the database in the same commit
//! that marks its event as handled: a replay that is cut short has not happened, one that is repeated finds no letter.
//! A letter that could not go out is published again under its own key, which the bus stores once.

use hull_bus::Bus;
use hull_invocation::{EventOutcome, Failure};
use hull_storage::{DeadLetter, DeadLetterFilter, DeadLetterKind, StoredDeadLetter};

use crate::error::EventsError;
use crate::handler::Handler;
use crate::verdict::{Case, Verdict, verdict};

/// How many letters are read at a time when all are replayed or purged.
const PAGE: usize = 100;
/// How often a replay that meets a conflict is run again.
const CONFLICTS_MAX: u32 = 5;

/// What became of a letter that was tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// Its event is handled, or on the bus; the letter is gone.
    Done,
    /// It failed again, for this reason; the letter stays.
    Failed(String),
}

/// What became of several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplaySummary {
    /// How many are done with.
    pub done: usize,
    /// Which failed again, and why.
    pub failed: Vec<(i64, String)>,
}

/// Read a page of letters.
pub(crate) async fn list(
    handler: &Handler,
    filter: &DeadLetterFilter,
    after: i64,
    limit: usize,
) -> Result<Vec<StoredDeadLetter>, EventsError> {
    let listed = handler.ledger.dead_letters(filter, after, limit).await;
    listed.map_err(|source| EventsError::Storage { component: handler.config.id.clone(), source })
}

/// One letter.
pub(crate) async fn show(handler: &Handler, id: i64) -> Result<StoredDeadLetter, EventsError> {
    let component = handler.config.id.clone();
    match handler.ledger.dead_letter(id).await {
        Ok(Some(stored)) => Ok(stored),
        Ok(None) => Err(EventsError::UnknownLetter { component, letter: id }),
        Err(source) => Err(EventsError::Storage { component, source }),
    }
}

/// Try one letter again.
pub(crate) async fn replay(handler: &Handler, bus: &dyn Bus, id: i64) -> Result<Replayed, EventsError> {
    let letter = show(handler, id).await?.letter;
    match letter.kind {
        DeadLetterKind::Incoming => replay_incoming(handler, id, letter).await,
        DeadLetterKind::Outgoing => replay_outgoing(handler, bus, id, letter).await,
    }
}

/// Try all that the filter names, each once; those that fail again stay.
pub(crate) async fn replay_all(
    handler: &Handler,
    bus: &dyn Bus,
    filter: &DeadLetterFilter,
) -> Result<ReplaySummary, EventsError> {
    let (mut summary, mut after) = (ReplaySummary::default(), i64::MIN);
    loop {
        let page = list(handler, filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(summary) };
        after = last.id;
        for stored in &page {
            match replay(handler, bus, stored.id).await {
                Ok(Replayed::Done) => summary.done += 1,
                Ok(Replayed::Failed(reason)) => summary.failed.push((stored.id, reason)),
                // Somebody else was faster.
                Err(EventsError::UnknownLetter { .. }) => {}
                Err(EventsError::Busy { .. } | EventsError::NotTried { .. }) => {
                    summary.failed.push((stored.id, "not tried: the component was busy".to_owned()));
                }
                Err(other) => return Err(other),
            }
        }
    }
}

/// Take one letter out for good.
pub(crate) async fn purge(handler: &Handler, id: i64) -> Result<(), EventsError> {
    let component = handler.config.id.clone();
    show(handler, id).await?;
    match handler.ledger.delete_dead_letter(id).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(EventsError::UnknownLetter { component, letter: id }),
        Err(source) => Err(EventsError::Storage { component, source }),
    }
}

/// Take all out that the filter names; how many.
pub(crate) async fn purge_all(handler: &Handler, filter: &DeadLetterFilter) -> Result<usize, EventsError> {
    let (mut purged, mut after) = (0, i64::MIN);
    loop {
        let page = list(handler, filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(purged) };
        after = last.id;
        for stored in &page {
            match purge(handler, stored.id).await {
                Ok(()) => purged += 1,
                Err(EventsError::UnknownLetter { .. }) => {}
                Err(other) => return Err(other),
            }
        }
    }
}

async fn replay_incoming(handler: &Handler, id: i64, letter: DeadLetter) -> Result<Replayed, EventsError> {
    let component = handler.config.id.clone();
    let Some(_held) = handler.in_flight.enter(&letter.event.key) else {
        return Err(EventsError::Busy { component, letter: id });
    };
    // Looked at again, now that nobody else can be at it.
    show(handler, id).await?;
    if let Err(reason) = handler.config.check(&letter.event) {
        return Ok(Replayed::Failed(reason));
    }
    let attempt = letter.attempts.saturating_add(1);
    let mut result = handler.run(&letter.event, attempt, false).await;
    for _ in 0..CONFLICTS_MAX {
        if !matches!(result, Ok(EventOutcome::Conflict)) {
            break;
        }
        result = handler.run(&letter.event, attempt, false).await;
    }
    let failure = result.as_ref().err().cloned();
    let policy = hull_manifest::Delivery::default();
    match verdict(result, Case { delivery: &policy, attempt, deliveries: 1, random: 0 }) {
        // Handled, the letter went with the commit; marked before it was buried, it goes now.
        Verdict::Ack(_) => match handler.ledger.delete_dead_letter(id).await {
            Ok(_) => Ok(Replayed::Done),
            Err(source) => Err(EventsError::Storage { component, source }),
        },
        Verdict::Again { failed: None, .. } => {
            let conflict = || Failure::Unavailable { component, message: "conflict after conflict".to_owned() };
            Err(EventsError::NotTried { letter: id, failure: failure.unwrap_or_else(conflict) })
        }
        Verdict::Again { failed: Some(reason), .. } | Verdict::Dead { reason, .. } => {
            let buried = handler.bury(&letter.event, &reason, attempt).await;
            let replayed = |buried: Option<i64>| buried.map_or(Replayed::Done, |_| Replayed::Failed(reason));
            buried.map(replayed).map_err(|source| EventsError::Storage { component, source })
        }
    }
}

async fn replay_outgoing(
    handler: &Handler,
    bus: &dyn Bus,
    id: i64,
    letter: DeadLetter,
) -> Result<Replayed, EventsError> {
    let component = handler.config.id.clone();
    if !handler.config.may_publish(&letter.event.subject) {
        let (name, subject) = (component.component(), &letter.event.subject);
        let line = format!("`publishes` in [component.{name}.tool.hull]");
        return Ok(Replayed::Failed(format!("{name} may still not publish {subject}: add it to {line}")));
    }
    match bus.publish(component.app(), &letter.event).await {
        Ok(_) => {}
        Err(error) if error.is_temporary() => return Err(error.into()),
        Err(error) => return Ok(Replayed::Failed(error.to_string())),
    }
    let deleted = handler.ledger.delete_dead_letter(id).await;
    deleted.map(|_| Replayed::Done).map_err(|source| EventsError::Storage { component, source })
}
