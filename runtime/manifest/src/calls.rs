//! Resilience towards one target: how a component calls another one.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::bulkhead::{COUNT_MAX, at_least_one};
use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting, settings};
use crate::units::{BackoffRange, Percent};

settings! {
    /// How calls to one target are made.
    pub struct CallPolicy {
        /// One attempt, to the last byte of its answer.
        "timeout" timeout: Duration = Duration::from_secs(2);
        /// Calls at once: a bulkhead per dependency.
        "concurrency" concurrency: NonZeroU32 = at_least_one(16), within ..=COUNT_MAX;
        /// Whether calls that failed are made again; only idempotent ones are.
        "retries" retries: Option<Retries> = None;
        /// When calling is given up for a while.
        "breaker" breaker: Option<Breaker> = None;
        /// What is answered when the call failed.
        "fallback" fallback: Option<Fallback> = None;
    }
}

settings! {
    /// Attempts after a failure, with full jitter, within a budget.
    pub struct Retries {
        /// Attempts in all, the first one included.
        "attempts" attempts: NonZeroU32 = at_least_one(3), within ..=at_least_one(10);
        /// The range of the delay before the next attempt.
        "backoff" backoff: BackoffRange =
            BackoffRange { first: Duration::from_millis(50), max: Duration::from_secs(1) };
    }
}

settings! {
    /// A circuit breaker.
    pub struct Breaker {
        /// The share of failures that trips it.
        "failure-rate" failure_rate: Percent = Percent::new(50), within Percent::new(1)..=Percent::new(100);
        /// How many calls the share is taken over.
        "window" window: NonZeroU32 = at_least_one(20), within ..=at_least_one(10_000);
        /// How long it stays tripped.
        "open" open: Duration = Duration::from_secs(10);
        /// How many calls must succeed before it admits all of them again.
        "probes" probes: NonZeroU32 = at_least_one(3), within ..=at_least_one(1000);
    }
}

/// An answer in place of one that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Setting for Fallback {
    const WANTED: &'static str = "{ status = 200, body = \"…\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let status = table.or_within("status", 200, &(200..=599)) as u16;
        let body = table.or("body", String::new());
        table.finish();
        Some(Self { status, body })
    }

    fn show(&self) -> Shown {
        Shown::Table(vec![
            Entry::defaulted("status", &u32::from(self.status), &200),
            Entry::defaulted("body", &self.body, &String::new()),
        ])
    }
}
