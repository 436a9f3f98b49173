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
use phase::{Measured, Stage};
use report::Results;
use shop::{Build, PROBE};

pub(crate) use many::{Options as ManyOptions, run as run_many};

/// How many swaps, and how densely.
pub(crate) struct Options {
    /// Of a component, between two versions that are compiled already.
    pub(crate) swaps: u32,
    /// Of all components at once, likewise.
    pub(crate) revisions: u32,
    /// From the start of one swap of a component to the next, in milliseconds.
    pub(crate) every_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { swaps: 200, revisions: 50, every_ms: 250 }
    }
}

/// Whoever swaps all components does so this much less often.
const REVISION_TIMES: u32 = 4;
/// Versions that no host has seen before.
const COMPILED: u32 = 10;
const COMPILED_EVERY: Duration = Duration::from_secs(2);
/// Without swaps: long enough for a p99.
const QUIET: Duration = Duration::from_secs(15);
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
    eprintln!("half of it, without swaps");
    let quiet = stage.measure("nothing else", rate, 0, QUIET, |_| Ok(()))?;
    eprintln!("commands that are refused");
    let refused = (QUIET.as_millis() / every.as_millis().max(1)) as u32;
    let refused = stage.measure("commands that are refused", rate, refused, every, |number| {
        daemon.refused(&builds[number as usize % 2])
    })?;
    eprintln!("{} swaps of a component", options.swaps);
    let mut settled_bytes = 0;
    let swaps = stage.measure("swaps of a component", rate, options.swaps, every, |number| {
        if number == SETTLED.min(options.swaps - 1) {
            settled_bytes = daemon.process.resident_bytes()?;
        }
        daemon.swap(PROBE, builds[number as usize % 2].probe())
    })?;
    eprintln!("{} revisions of the shop", options.revisions);
    let revisions =
        stage.measure("revisions of the shop", rate, options.revisions, every * REVISION_TIMES, |number| {
            daemon.deploy(&builds[number as usize % 2], Priority::Low)
        })?;
    let last_bytes = daemon.process.resident_bytes()?;
    eprintln!("{COMPILED} swaps that compile");
    let compiled = stage.measure("swaps that compile", rate, COMPILED, COMPILED_EVERY, |number| {
        daemon.swap(PROBE, &builds[0].other_probe(2 + number)?)
    })?;
    eprintln!("going back");
    daemon.deploy(&builds[0], Priority::Usual)?;
    daemon.deploy(&builds[1], Priority::Usual)?;
    let rollback = rollback::measure(&daemon, &stage, rate)?;
    eprintln!("first requests");
    let first = fresh::first_requests(&daemon)?;
    let phases: [&Measured; 5] = [&quiet, &refused, &swaps, &revisions, &compiled];
    let results = Results { rate, phases: &phases, rollback, first, settled_bytes, last_bytes };
    println!("{}\n{}", machine::describe(), results.render().context("nothing was measured")?);
    Ok(())
}
