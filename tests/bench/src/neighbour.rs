//! `bench neighbour`: what a component of the shop notices of a neighbour that does its worst, with the fair run queue
//! and without, and beside it what a native server in a process of its own notices of the same.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;

use crate::attacker::{self, Attacker, Force, Used};
use crate::attacks::{self, Attack};
use crate::clients::Phase;
use crate::load::Load;
use crate::machine;
use crate::neighbour_table;
use crate::process::Process;
use crate::stage::{self, Host, Stage};
use crate::tally::Tally;
use crate::watch::{self, Seen};

/// What to measure, and how long.
pub(crate) struct Options {
    /// How often each attack is measured, in turns.
    pub(crate) rounds: usize,
    /// How long each attack lasts.
    pub(crate) seconds: u64,
    /// Which.
    pub(crate) attacks: Vec<Attack>,
    /// Only this table, if it is named: `hull`, `default`, `unfair` or `native`.
    pub(crate) only: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 3, seconds: 20, attacks: attacks::ALL.to_vec(), only: String::new() }
    }
}

/// The victim is asked for this share of what it carries.
const SHARE: f64 = 0.3;
const CAPACITY_TIME: Duration = Duration::from_secs(3);
/// Short attacks before the one that counts, until one leaves the host's memory within so much of what the one before left.
const REHEARSAL: Duration = Duration::from_secs(2);
const REHEARSALS_MAX: usize = 4;
const STEADY: f64 = 1.02;
/// Memory is at rest when it has stayed within so much for so long; it is given some time for that.
const STILL: f64 = 0.01;
const STILL_FOR: Duration = Duration::from_secs(3);
const STILL_WITHIN: Duration = Duration::from_secs(10);
const STILL_LOOK: Duration = Duration::from_millis(200);
/// An attack begins with the victim's first counted request and outlasts the last one.
const OUTLAST: Duration = Duration::from_millis(300);
/// What the victim has of the CPU for itself: half of two cores, in percent of one.
const RESERVE: &str = "100%";

/// How the host is run that is attacked.
struct Subject {
    name: &'static str,
    reserve: &'static str,
    flags: &'static [&'static str],
}

const HULL: Subject = Subject { name: "hull", reserve: RESERVE, flags: &[] };
const DEFAULT: Subject = Subject { name: "default", reserve: stage::NO_RESERVE, flags: &[] };
const UNFAIR: Subject = Subject { name: "unfair", reserve: stage::NO_RESERVE, flags: &["--unfair-cpu"] };
/// The host that is attacked beside a native victim.
const NATIVE: Subject = Subject { name: "native", ..HULL };

/// One attack on one host.
pub(crate) struct Attacked {
    /// The victim just before.
    pub(crate) alone: Tally,
    /// And under attack.
    pub(crate) victim: Tally,
    /// How much of an attack it was.
    pub(crate) force: Force,
    /// What the attacker used meanwhile.
    pub(crate) used: Used,
    /// What the host looked like meanwhile.
    pub(crate) seen: Seen,
    /// The host's memory before and after, in bytes.
    pub(crate) memory: (u64, u64),
}

/// A row of a table: an attack and what came of it in each round, or why it could not be measured.
pub(crate) struct Row {
    /// Which.
    pub(crate) attack: Attack,
    /// What came of it.
    pub(crate) outcome: Result<Vec<Attacked>, String>,
}

/// What all rows have in common.
struct Bench<'a> {
    options: &'a Options,
    stage: Stage,
    per_second: f64,
}

/// Measure and print.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::prepare()?;
    let host = stage.host(HULL.reserve, HULL.flags)?;
    let carried = capacity(&host)?;
    drop(host);
    let bench = Bench { options, stage, per_second: carried * SHARE };
    let attacks = || options.attacks.iter().copied();
    let about_cpu = || attacks().filter(|attack| attack.is_about_cpu());
    let mut tables = [
        (&HULL, options.rows(&HULL, attacks())),
        (&DEFAULT, options.rows(&DEFAULT, about_cpu())),
        (&UNFAIR, options.rows(&UNFAIR, about_cpu())),
        (&NATIVE, options.rows(&NATIVE, attacks())),
    ];
    let mut alone = Vec::with_capacity(options.rounds);
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}: products alone, {} s", options.rounds, options.seconds);
        match bench.nobody_beside() {
            Ok(tally) => alone.push(tally),
            Err(error) => eprintln!("  failed: {error:#}"),
        }
        for (subject, rows) in &mut tables {
            rows.iter_mut().for_each(|row| bench.add_round(round, subject, row));
        }
    }
    let all = tables.map(|(_, rows)| rows);
    let [hull, default, unfair, native] = &all;

    println!("\n{}", machine::describe());
    println!("{}", neighbour_table::setting(carried, bench.per_second, options));
    println!("the victim has `reserve = {{ cpu = \"{RESERVE}\" }}`:\n\n{}", neighbour_table::hull(&alone, hull));
    if !default.is_empty() {
        println!("nothing is reserved:\n\n{}", neighbour_table::hull(&[], default));
    }
    if !unfair.is_empty() {
        println!("without the fair run queue (`hull up --unfair-cpu`):\n\n{}", neighbour_table::hull(&[], unfair));
    }
    if !native.is_empty() {
        println!("a native victim in a process of its own:\n\n{}", neighbour_table::native(native));
    }
    let failed = all.iter().flatten().filter(|row| row.outcome.is_err()).count() + options.rounds - alone.len();
    anyhow::ensure!(failed == 0, "{failed} of this could not be measured");
    Ok(())
}

impl Options {
    /// What is to be measured of one kind of host.
    fn rows(&self, subject: &Subject, attacks: impl Iterator<Item = Attack>) -> Vec<Row> {
        let attacks = attacks.filter(|_| self.only.is_empty() || self.only == subject.name);
        attacks.map(|attack| Row { attack, outcome: Ok(Vec::new()) }).collect()
    }
}

/// Requests a second that the victim carries when it is alone.
fn capacity(host: &Host) -> anyhow::Result<f64> {
    eprintln!("measuring what products carries");
    let load = Load {
        address: host.process.address,
        request: host.request.clone(),
        connections: stage::CONNECTIONS,
        warm_up: Duration::from_secs(1),
        measured: CAPACITY_TIME,
    };
    Ok(load.run(|| host.process.cpu()).context("cannot tell what products carries")?.rate)
}

impl Bench<'_> {
    /// Measure an attack once more; one that cannot be measured is left out of the rounds that follow.
    fn add_round(&self, round: usize, subject: &Subject, row: &mut Row) {
        let Ok(rounds) = &mut row.outcome else { return };
        let Options { rounds: all, seconds, .. } = self.options;
        eprintln!("round {round} of {all}: {}: {}, {seconds} s", subject.name, row.attack.name());
        match self.beside(row.attack, subject) {
            Ok(attacked) => rounds.push(attacked),
            Err(error) => {
                eprintln!("  failed: {error:#}");
                row.outcome = Err(format!("{error:#}"));
            }
        }
    }

    /// The victim is in the host that is attacked, or a native server beside it.
    fn beside(&self, attack: Attack, subject: &Subject) -> anyhow::Result<Attacked> {
        let host = self.stage.host(subject.reserve, subject.flags)?;
        if subject.name != NATIVE.name {
            return self.measure(attack, &host, host.process.address);
        }
        let native = self.stage.native(&host.product)?;
        self.measure(attack, &host, native.address)
    }

    fn nobody_beside(&self) -> anyhow::Result<Tally> {
        let host = self.stage.host(HULL.reserve, HULL.flags)?;
        self.alone(host.process.address, &host, self.options.seconds)
    }

    fn alone(&self, victim: SocketAddr, host: &Host, seconds: u64) -> anyhow::Result<Tally> {
        let measured = Duration::from_secs(seconds);
        stage::victim_plan(victim, &host.request, self.per_second, measured).run(|_| Ok(()))
    }

    fn measure(&self, attack: Attack, host: &Host, victim: SocketAddr) -> anyhow::Result<Attacked> {
        let process = &host.process;
        attacker::warm_up(attack, process)?;
        let attacker = Attacker::prepare(attack, &self.stage, process)?;
        self.rehearse(&attacker, host, victim).context("cannot rehearse the attack")?;
        let alone = self.alone(victim, host, self.options.seconds)?;
        let (memory_before, before) = (at_rest(process)?, attacker::used(process)?);
        let lasts = Duration::from_secs(self.options.seconds);
        let (victim, force, seen) = self.attack(attacker, host, victim, lasts)?;
        let used = attacker::used(process)?.since(before);
        let memory = (memory_before, at_rest(process)?);
        Ok(Attacked { alone, victim, force, used, seen, memory })
    }

    /// Attack until what the host keeps for good (pools, connections, caches) is there.
    fn rehearse(&self, attacker: &Attacker, host: &Host, victim: SocketAddr) -> anyhow::Result<()> {
        let mut before = 0;
        for _ in 0..REHEARSALS_MAX {
            self.attack(attacker.clone(), host, victim, REHEARSAL)?;
            attacker::rest(&host.process)?;
            let now = at_rest(&host.process)?;
            if now as f64 <= before as f64 * STEADY {
                return Ok(());
            }
            before = now;
        }
        eprintln!("  its memory still grows after {REHEARSALS_MAX} rehearsals");
        Ok(())
    }

    /// Ask the victim for so long while the attack goes on and the host is watched.
    fn attack(
        &self,
        attacker: Attacker,
        host: &Host,
        victim: SocketAddr,
        lasts: Duration,
    ) -> anyhow::Result<(Tally, Force, Seen)> {
        let plan = stage::victim_plan(victim, &host.request, self.per_second, lasts);
        let stop = AtomicBool::new(false);
        let (go, begin) = mpsc::channel();
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch::watch(&host.process, &stop));
            let attacker = scope.spawn(move || {
                begin.recv().context("the victim's clients ended before the attack")?;
                attacker.attack(&self.stage, lasts + OUTLAST)
            });
            let tally = plan.run(|phase| {
                if phase == Phase::CountingBegins {
                    // It fails only if the attacker is gone, which shows below.
                    let _ = go.send(());
                }
                Ok(())
            });
            drop(go);
            let force = attacker.join().map_err(|_| anyhow::anyhow!("the attacker panicked"));
            stop.store(true, Ordering::Relaxed);
            let seen = watcher.join().map_err(|_| anyhow::anyhow!("the watcher panicked"));
            Ok((tally?, force??, seen??))
        })
    }
}

/// The memory of the host once it is at rest, or when it has had its time.
fn at_rest(process: &Process) -> anyhow::Result<u64> {
    let began = hull_clock::now();
    let (mut still, mut since) = (process.resident_bytes()?, began);
    loop {
        std::thread::sleep(STILL_LOOK);
        let (bytes, now) = (process.resident_bytes()?, hull_clock::now());
        if bytes.abs_diff(still) as f64 > still as f64 * STILL {
            (still, since) = (bytes, now);
        }
        if now - since >= STILL_FOR || now - began >= STILL_WITHIN {
            return Ok(bytes);
        }
    }
}
