//! What a run is to be: how long, from which seed, on which pair, and whether the host breaks a promise.

use std::time::Duration;

use anyhow::Context as _;

use crate::backends::Pair;

/// How long load and faults last where nobody asks for more.
const SHORT: Duration = Duration::from_secs(14);
/// How long a round against a host lasts that breaks a promise.
const ROUND: Duration = Duration::from_secs(4);
/// How many of those there are at most.
pub(crate) const ROUNDS_MAX: u64 = 10;

/// A promise that the host is told to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    HandledMarks,
    Outbox,
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) pair: Pair,
    pub(crate) seed: u64,
    /// How long there are load and faults.
    pub(crate) time: Duration,
    pub(crate) broken: Option<Promise>,
    /// Faults that take long or need rights are tried as well.
    pub(crate) long: bool,
    /// The state directory lies on a disk that may be filled. Such a disk is memory, and quick: a kill hits what happens
    /// between two writes far less often than on a real one. So that is for one seed in three.
    pub(crate) small_disk: bool,
    /// Whether customers order, or only clerks write.
    pub(crate) customers: bool,
}

impl Plan {
    /// What the environment asks for: `cargo xtask chaos` sets it. The short form without it.
    pub(crate) fn asked_for(pair: Pair) -> anyhow::Result<Self> {
        let seconds = number("HULL_CHAOS_SECONDS")?;
        let broken = match std::env::var("HULL_CHAOS_BREAK").as_deref() {
            Ok("handled-marks") => Some(Promise::HandledMarks),
            Ok("outbox") => Some(Promise::Outbox),
            Ok(other) => anyhow::bail!("{other} is no promise: handled-marks or outbox"),
            Err(_) => None,
        };
        let time = seconds.map_or(SHORT, Duration::from_secs);
        let (seed, long) = (seed()?, seconds.is_some());
        Ok(Self {
            pair,
            seed,
            time,
            broken,
            long,
            small_disk: long && seed % 3 == 0 && pair.has_data_files(),
            customers: true,
        })
    }

    /// Short rounds against a host that breaks a promise.
    pub(crate) fn breaking(promise: Promise) -> anyhow::Result<Self> {
        let pair = Pair::EmbeddedSqlite;
        let (seed, time) = (seed()?, ROUND);
        Ok(Self { pair, seed, time, broken: Some(promise), long: false, small_disk: false, customers: false })
    }

    /// One of several runs from the same seed.
    pub(crate) fn round(&self, round: u64) -> Self {
        Self { seed: self.seed.wrapping_add(round - 1), ..*self }
    }

    /// What the shop waits for before it gives an order up, and looks into a charge without an answer.
    pub(crate) fn patience_seconds(&self) -> (u64, u64) {
        if self.long { (30, 5) } else { (8, 2) }
    }
}

impl Promise {
    /// As `hull up` names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HandledMarks => "handled-marks",
            Self::Outbox => "outbox",
        }
    }
}

fn seed() -> anyhow::Result<u64> {
    Ok(number("HULL_CHAOS_SEED")?.unwrap_or_else(|| hull_clock::random_u64() >> 32))
}

fn number(name: &str) -> anyhow::Result<Option<u64>> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    text.parse().map(Some).with_context(|| format!("{name} is {text:?} and not a number"))
}
