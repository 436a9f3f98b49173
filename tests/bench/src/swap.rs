//! `bench swap`: the shop at half of what the host carries, requests, events and slow answers together, while versions
//! are replaced all the time. Nothing may fail, the tail may hardly move, and nothing may be left behind.

mod daemon;
mod fresh;
mod many;
mod phase;
mod report;
mod rollback;
mod shop;
mod streams;

use std::time::Duration;

use anyhow::Context as _;

use crate::machine;
use daemon::{Daemon, Priority};
use phase::{Part, Stage};
use report::Results;
use shop::{Build, PROBE};

pub(crate) use many::{Options as ManyOptions, run as run_many};

/// How many swaps, and how densely.
pub(crate) struct Options {
    /// Everything is measured in turns, so many times.
    pub(crate) rounds: u32,
    /// Of a component, between two versions that are compiled already; in all rounds together.
    pub(crate) swaps: u32,
    /// Of all components at once, likewise.
    pub(crate) revisions: u32,
    /// From the start of one swap of a component to the next, in milliseconds.
    pub(crate) every_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 5, swaps: 200, revisions: 50, every_ms: 250 }
    }
}

/// Whoever swaps all components does so this much less often.
const REVISION_TIMES: u32 = 4;
/// Versions that no host has seen before.
const COMPILED: u32 = 10;
const COMPILED_EVERY: Duration = Duration::from_secs(2);
/// Without swaps, in each round: long enough for a p99.
const QUIET: Duration = Duration::from_secs(6);
/// Swaps whose memory is that of a host that has seen some.
const SETTLED: u32 = 50;

/// Measure and print.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let daemon = Daemon::start()?;
    eprintln!("compiling the shop twice");
    let builds = [Build::make(daemon.folder(), 0)?, Build::make(daemon.folder(), 1)?];
    for build in &builds {
        daemon.deploy(build, Priority::Usual)?;
    }
    let stage = Stage::prepare(&daemon)?;
    eprintln!("measuring what the host carries");
    let rate = stage.most()? / 2.0;
    let every = Duration::from_millis(options.every_ms);
    let [mut quiet, mut refused, mut swaps, mut revisions, mut compiled] = [
        "nothing else",
        "commands that are refused",
        "swaps of a component",
        "revisions of the shop",
        "swaps that compile",
    ]
    .map(Part::new);
    let mut settled_bytes = 0;
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        let numbers = |all: u32| all * round / options.rounds..all * (round + 1) / options.rounds;
        quiet.add(stage.measure(rate, 0..0, QUIET, |_| Ok(()))?);
        let count = (QUIET.as_millis() / every.as_millis().max(1)) as u32;
        refused.add(stage.measure(rate, 0..count, every, |number| daemon.refused(&builds[number as usize % 2]))?);
        swaps.add(stage.measure(rate, numbers(options.swaps), every, |number| {
            if number == SETTLED.min(options.swaps - 1) {
                settled_bytes = daemon.process.resident_bytes()?;
            }
            daemon.swap(PROBE, builds[number as usize % 2].probe())
        })?);
        revisions.add(stage.measure(rate, numbers(options.revisions), every * REVISION_TIMES, |number| {
            daemon.deploy(&builds[number as usize % 2], Priority::Low)
        })?);
        compiled.add(stage.measure(rate, numbers(COMPILED), COMPILED_EVERY, |number| {
            daemon.swap(PROBE, &builds[0].other_probe(2 + number)?)
        })?);
    }
    let last_bytes = daemon.process.resident_bytes()?;
    eprintln!("going back");
    let rollback = rollback::measure(&daemon, &builds, &stage, rate)?;
    eprintln!("first requests");
    let first = fresh::first_requests(&daemon)?;
    let parts = [quiet, refused, swaps, revisions, compiled];
    let results = Results { rate, parts: &parts, rollback, first, settled_bytes, last_bytes };
    println!("{}\n{}", machine::describe(), results.render().context("nothing was measured")?);
    Ok(())
}
