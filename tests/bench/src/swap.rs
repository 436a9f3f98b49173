//! `bench swap`: requests over keep-alive connections at half of what the host carries, while components are replaced all
//! the time. Nothing may fail, the tail may hardly move, and nothing may be left behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::clients::{Pace, Plan};
use crate::connection::request;
use crate::process::{Process, Ready};
use crate::table::{milliseconds, thousands};
use crate::tally::Tally;
use crate::{components, machine};

/// How many swaps.
pub(crate) struct Options {
    /// Of a component, between two versions that are compiled already.
    pub(crate) swaps: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { swaps: 200 }
    }
}

const CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_secs(1);
const DRAIN: Duration = Duration::from_secs(5);
/// Without swaps: long enough for a p99.
const QUIET: Duration = Duration::from_secs(10);
/// A swap begins so long after the one before, at the least: the command itself takes its part of the same cores.
const SWAP_EVERY: Duration = Duration::from_millis(100);
/// Swaps whose memory is that of a host that has seen some.
const SETTLED: usize = 50;
/// The goals.
const P99_TIMES_MAX: f64 = 1.3;
const ROLLBACK_MAX: Duration = Duration::from_millis(50);
const GROWTH_MAX: f64 = 1.05;

/// A daemon and the command line that talks to it.
struct Daemon {
    process: Process,
    hull: PathBuf,
    folder: TempDir,
}

impl Daemon {
    fn start() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let hull = program.with_file_name("hull");
        let folder = TempDir::with_prefix("hull-bench-").context("no room for temporary files")?;
        let mut command = Command::new(&hull);
        command.args(["host", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state-dir"]);
        command.arg(folder.path().join("state"));
        Ok(Self { process: Process::start(command, Ready::JsonOnStdout)?, hull, folder })
    }

    fn command(&self, words: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.hull);
        command.args(words).arg("--state-dir").arg(self.folder.path().join("state"));
        let ended = command.stdin(Stdio::null()).output().context("cannot run hull")?;
        if !ended.status.success() {
            bail!("hull {}: {}", words.join(" "), String::from_utf8_lossy(&ended.stderr));
        }
        Ok(())
    }

    fn manifest(&self, source: &Path, mark: &str) -> anyhow::Result<String> {
        let path = self.folder.path().join(format!("{mark}.toml"));
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"bench\"\nversion = \"{mark}\"\n\
             [[trigger.http]]\nroute = \"/...\"\ncomponent = \"hello\"\n\
             [component.hello]\nsource = \"{}\"\n[component.hello.tool.hull.limits]\nconcurrency = 64\n",
            source.display()
        );
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }
}

/// Measure and print.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let daemon = Daemon::start()?;
    let bytes = std::fs::read(components::built("hello")?)?;
    let mut manifests = Vec::new();
    for number in 0..2 {
        let path = daemon.folder.path().join(format!("{number}.wasm"));
        std::fs::write(&path, components::numbered(&bytes, number))?;
        let manifest = daemon.manifest(&path, &number.to_string())?;
        // Compiled now, so that the swaps only switch.
        daemon.command(&["deploy", "-f", &manifest])?;
        manifests.push(manifest);
    }
    eprintln!("measuring what the host carries");
    let most = plan(&daemon, Pace::Closed, QUIET / 2).run(|_| Ok(()))?;
    let rate = most.per_second(most.served.total()) / 2.0;
    eprintln!("half of it, without swaps");
    let quiet = plan(&daemon, Pace::Open(rate), QUIET).run(|_| Ok(()))?;
    eprintln!("{} swaps", options.swaps);
    let swapped = swaps(&daemon, &manifests, options.swaps, rate)?;
    let rollback = rollback(&daemon)?;
    println!("{}\n{}", machine::describe(), render(rate, &quiet, &swapped, rollback));
    Ok(())
}

/// What the swaps did.
struct Swapped {
    tally: Tally,
    took: Duration,
    settled_bytes: u64,
    last_bytes: u64,
    swaps: usize,
}

fn plan(daemon: &Daemon, pace: Pace, measured: Duration) -> Plan {
    Plan {
        address: daemon.process.address,
        connections: CONNECTIONS,
        pace,
        requests: vec![request("GET", "/", "")],
        warm_up: WARM_UP,
        measured,
        drain: DRAIN,
        is_strict: false,
    }
}

/// Swap on a thread of its own for as long as the clients send.
fn swaps(daemon: &Daemon, manifests: &[String], swaps: usize, rate: f64) -> anyhow::Result<Swapped> {
    let measured = SWAP_EVERY * u32::try_from(swaps)?;
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| -> anyhow::Result<(Duration, u64, u64)> {
            let mut took = Duration::ZERO;
            let mut settled = 0;
            for number in 1..=swaps {
                let began = hull_clock::now();
                daemon.command(&["deploy", "-f", &manifests[number % 2]])?;
                took += hull_clock::now() - began;
                std::thread::sleep(SWAP_EVERY.saturating_sub(hull_clock::now() - began));
                if number == SETTLED.min(swaps) {
                    settled = daemon.process.resident_bytes()?;
                }
            }
            Ok((took, settled, daemon.process.resident_bytes()?))
        });
        let tally = plan(daemon, Pace::Open(rate), measured.max(QUIET)).run(|_| Ok(()))?;
        let swapped = swapping.join().map_err(|_| anyhow::anyhow!("the thread that swaps panicked"))?;
        let (took, settled_bytes, last_bytes) = swapped?;
        Ok(Swapped { tally, took, settled_bytes, last_bytes, swaps })
    })
}

/// From the start of the command to its end, when the older revision serves; the median of some.
fn rollback(daemon: &Daemon) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..11 {
        let began: Instant = hull_clock::now();
        daemon.command(&["rollback"])?;
        times.push(hull_clock::now() - began);
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().context("no time")
}

fn render(rate: f64, quiet: &Tally, swapped: &Swapped, rollback: Duration) -> String {
    let Swapped { tally, took, settled_bytes, last_bytes, swaps } = swapped;
    let p99 = |tally: &Tally| tally.served.percentile(0.99);
    let times = p99(tally).as_secs_f64() / p99(quiet).as_secs_f64();
    let growth = *last_bytes as f64 / *settled_bytes as f64;
    let mark = |met: bool| if met { "met" } else { "missed" };
    let lost = tally.errors() + tally.unsent;
    format!(
        "| what | measured | goal |\n|---|--:|---|\n\
         | requests/s, half of the most | {} | |\n\
         | swaps, each | {swaps}, {} | |\n\
         | failed or lost of {} | {lost} | 0: {} |\n\
         | p99 without swaps, with | {}, {} ({times:.2} times) | ≤ {P99_TIMES_MAX} times: {} |\n\
         | rollback, from command to end | {} | ≤ 50 ms: {} |\n\
         | memory after {SETTLED} swaps, after all | {} MiB, {} MiB | no growth: {} |",
        thousands(rate),
        milliseconds(*took / u32::try_from(*swaps).unwrap_or(1).max(1)),
        tally.sent,
        mark(lost == 0),
        milliseconds(p99(quiet)),
        milliseconds(p99(tally)),
        mark(times <= P99_TIMES_MAX),
        milliseconds(rollback),
        mark(rollback <= ROLLBACK_MAX),
        settled_bytes >> 20,
        last_bytes >> 20,
        mark(growth <= GROWTH_MAX),
    )
}
