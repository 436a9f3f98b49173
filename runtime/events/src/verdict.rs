//! What becomes of an event after a delivery: the one place that turns an outcome or a failure into ack, retry or
//! dead letter.

use std::time::Duration;

use hull_invocation::{EventOutcome, Failure, Reply};
use hull_manifest::Delivery;

use crate::backoff::{nth, share};

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is done with.
    Ack(Done),
    /// Deliver it again.
    Again {
        /// After how long.
        delay: Duration,
        /// Why, if this was an attempt that counts.
        failed: Option<String>,
    },
    /// Put it with the dead letters.
    Dead {
        /// Why, for people.
        reason: String,
        /// How many attempts there were.
        attempts: u32,
    },
}

/// Why it is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// The handler accepted it.
    Handled,
    /// It had been handled, or buried, before.
    Before,
}

/// What is known besides the outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) delivery: &'a Delivery,
    /// This attempt's number, from 1.
    pub(crate) attempt: u32,
    /// How often the bus has delivered it, this time included.
    pub(crate) deliveries: u32,
    pub(crate) random: u64,
}

/// The first and the longest delay of an event that went back without an attempt.
const RETURN_FIRST: Duration = Duration::from_millis(50);
const RETURN_LONGEST: Duration = Duration::from_secs(10);
/// How soon a unit of work that met a conflict is run again.
const CONFLICT: Duration = Duration::from_millis(20);
/// The longest that a handler may put an event off; for longer it publishes one with a time.
const AFTER_MAX: Duration = Duration::from_hours(1);
/// By how much of itself a delay of the manifest is stretched at most, so that many do not come at once.
const STRETCH: u32 = 4;

/// The verdict over a delivery whose handler was, or was to be, started.
pub(crate) fn verdict(result: Result<EventOutcome, Failure>, case: Case<'_>) -> Verdict {
    match result {
        Ok(EventOutcome::Handled(_)) => Verdict::Ack(Done::Handled),
        Ok(EventOutcome::AlreadyHandled) => Verdict::Ack(Done::Before),
        Ok(EventOutcome::Retry(after)) => failed(after, "its handler asked for another delivery".to_owned(), case),
        Ok(EventOutcome::Reject(why)) => {
            Verdict::Dead { reason: format!("its handler rejected it: {why}"), attempts: case.attempt }
        }
        Ok(EventOutcome::Conflict) => returned(CONFLICT + share(CONFLICT, case.random)),
        Err(failure) => of_failure(&failure, case),
    }
}

fn of_failure(failure: &Failure, case: Case<'_>) -> Verdict {
    match failure {
        Failure::Shed { retry_after, .. } => returned((*retry_after).max(RETURN_FIRST).min(RETURN_LONGEST)),
        Failure::UnknownComponent(_) | Failure::NoHandler { .. } | Failure::Cancelled | Failure::Unavailable { .. } => {
            not_tried(case.deliveries, case.random)
        }
        Failure::DeadlineExceeded { .. }
        | Failure::CpuExceeded { .. }
        | Failure::MemoryExceeded { .. }
        | Failure::Trapped { .. }
        | Failure::NoResponse { .. }
        | Failure::Unreachable { .. }
        | Failure::Internal(_) => failed(None, failure.to_string(), case),
        Failure::BodyTooLarge { .. } | Failure::BadRequest(_) | Failure::ChainTooLong { .. } => {
            Verdict::Dead { reason: failure.to_string(), attempts: case.attempt }
        }
    }
}

/// Nothing was tried, and it is not the event's fault: the more often, the later again.
pub(crate) fn not_tried(deliveries: u32, random: u64) -> Verdict {
    returned(nth(RETURN_FIRST, RETURN_LONGEST, deliveries, random))
}

fn returned(delay: Duration) -> Verdict {
    Verdict::Again { delay, failed: None }
}

fn failed(after: Option<Duration>, reason: String, case: Case<'_>) -> Verdict {
    let attempts = case.attempt;
    if attempts >= case.delivery.max_deliver.get() {
        return Verdict::Dead { reason: format!("{attempts} attempts failed; the last: {reason}"), attempts };
    }
    let place = (attempts.max(1) - 1) as usize;
    let listed = || case.delivery.backoff.get(place).or(case.delivery.backoff.last()).copied().unwrap_or_default();
    let delay = match after {
        Some(after) => after.min(AFTER_MAX),
        None => listed() + share(listed() / STRETCH, case.random),
    };
    Verdict::Again { delay, failed: Some(reason) }
}

/// What whoever made a request over the bus gets: the reply, or why there is none.
pub(crate) fn answer(result: Result<EventOutcome, Failure>) -> Result<Reply, String> {
    match result {
        Ok(EventOutcome::Handled(Some(reply))) => Ok(reply),
        Ok(EventOutcome::Handled(None)) => Err("its handler ended without an answer".to_owned()),
        Ok(EventOutcome::AlreadyHandled) => Err("a request with this id was answered before".to_owned()),
        Ok(EventOutcome::Retry(_)) => Err("its handler cannot answer now; ask again".to_owned()),
        Ok(EventOutcome::Reject(why)) => Err(why),
        Ok(EventOutcome::Conflict) => Err("its handler met a conflict; ask again".to_owned()),
        Err(failure) => Err(failure.to_string()),
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
