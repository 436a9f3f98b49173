//! One part of the bench: requests at a rate, some of which publish an event, answers that take seconds, and beside them
//! commands at a beat. What of all this did not come to its end is told.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags};

use super::daemon::Daemon;
use super::shop::{APP, PROBE};
use super::streams::{self, Streamed};
use crate::clients::{Pace, Plan};
use crate::connection::{Request, request};
use crate::exchange;
use crate::process::Process;
use crate::rounds::median;
use crate::tally::Tally;

const CONNECTIONS: usize = 32;
/// How long answers are waited for when the last request is out.
const DRAIN: Duration = Duration::from_secs(5);
/// The host's most is measured so long.
const MOST: Duration = Duration::from_secs(5);
/// How long events may wait for their handler when nobody publishes any more.
const HANDLED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// One request of so many publishes an event.
const CYCLE: usize = 50;
/// What handles an event writes a row for it: a second one for the same event fails.
const PUBLISH: &str = r#"[{"do":"publish","subject":"bench.item","payload":{"script":[{"do":"execute","sql":"INSERT INTO handled (n) VALUES ($1)","params":["@id"]}],"then":"fault"}}]"#;

/// What is asked of a daemon that serves the shop.
pub(super) struct Stage<'a> {
    process: &'a Process,
    requests: Vec<Request>,
    events: PathBuf,
}

/// What came of a part, in all rounds.
pub(super) struct Part {
    pub(super) name: &'static str,
    rounds: Vec<Measured>,
}

/// What came of a part in one round.
pub(super) struct Measured {
    pub(super) tally: Tally,
    pub(super) streamed: Streamed,
    /// Events that were published and not handled.
    pub(super) events_lost: u64,
    pub(super) commands: u32,
    /// The median, from the start of a command to its end.
    pub(super) command: Duration,
    /// What the host used of CPU, all in all.
    pub(super) cpu: Duration,
}

impl<'a> Stage<'a> {
    /// Put a product into the shop, for the requests.
    pub(super) fn prepare(daemon: &'a Daemon) -> anyhow::Result<Self> {
        let entry = r#"{"name":"Lantern","description":"It burns all night.","category":"light","priceCents":4200}"#;
        let product = exchange::create(daemon.process.address, "/api/products", entry)?;
        let product: serde_json::Value = serde_json::from_str(&product).context("the product is not JSON")?;
        let id = product.get("id").and_then(serde_json::Value::as_str).context("the product has no id")?;
        let (product, hello) = (request("GET", &format!("/api/products/{id}"), ""), request("GET", "/probe/hello", ""));
        let mut requests = vec![request("POST", "/probe/run", PUBLISH)];
        requests.extend((1..CYCLE).map(|place| if place % 2 == 0 { product.clone() } else { hello.clone() }));
        Ok(Self { process: &daemon.process, requests, events: daemon.database(APP, PROBE) })
    }

    /// Requests a second in a closed loop.
    pub(super) fn most(&self) -> anyhow::Result<f64> {
        let tally = self.plan(Pace::Closed, MOST).run(|_| Ok(()))?;
        ensure!(tally.errors() == 0, "not all was served: {:?}", tally.first_failure);
        let rate = tally.per_second(tally.served.total());
        self.until_handled(self.handled()?, 0)?;
        Ok(rate)
    }

    /// `command` with each of these numbers, one after the other, each beginning `every` after the one before; without
    /// any, the part takes that long.
    pub(super) fn measure(
        &self,
        rate: f64,
        numbers: Range<u32>,
        every: Duration,
        mut command: impl FnMut(u32) -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<Measured> {
        let commands = numbers.len() as u32;
        let lasts = every * commands.max(1);
        let (handled, cpu) = (self.handled()?, self.process.cpu_in_all()?);
        let over = AtomicBool::new(false);
        let (tally, times, streamed) = std::thread::scope(|scope| {
            let streaming = scope.spawn(|| streams::run(self.process.address, &over));
            let commanding = scope.spawn(move || -> anyhow::Result<Vec<Duration>> {
                let first = hull_clock::now();
                let mut times = Vec::new();
                for (place, number) in (0..).zip(numbers) {
                    let began = hull_clock::now();
                    std::thread::sleep((first + every * place).saturating_duration_since(began));
                    let began = hull_clock::now();
                    command(number)?;
                    times.push(hull_clock::now() - began);
                }
                let took = hull_clock::now() - first;
                ensure!(
                    took <= lasts + every,
                    "the commands took {took:?}, longer than they were measured: give each more time"
                );
                Ok(times)
            });
            let tally = self.plan(Pace::Open(rate), lasts).run(|_| Ok(()));
            over.store(true, Ordering::Release);
            let times = commanding.join().map_err(|_| anyhow::anyhow!("whoever gives the commands panicked"));
            let streamed = streaming.join().map_err(|_| anyhow::anyhow!("whoever reads the streams panicked"));
            anyhow::Ok((tally?, times??, streamed??))
        })?;
        let cpu = self.process.cpu_in_all()?.saturating_sub(cpu);
        let published = tally.sent.div_ceil(CYCLE as u64);
        let events_lost = self.until_handled(handled, published)?;
        let command = median(times).unwrap_or_default();
        eprintln!("  p99 {:?}, {} errors, {command:?} for a command", tally.served.percentile(0.99), tally.errors());
        Ok(Measured { tally, streamed, events_lost, commands, command, cpu })
    }

    /// Requests at a rate for so long, while something else goes on.
    pub(super) fn plan(&self, pace: Pace, measured: Duration) -> Plan {
        Plan {
            address: self.process.address,
            connections: CONNECTIONS,
            pace,
            beat: Duration::ZERO,
            requests: self.requests.clone(),
            // All count: the events that they publish are counted by them.
            warm_up: Duration::ZERO,
            measured,
            drain: DRAIN,
            is_strict: false,
        }
    }

    /// Wait until so many more events are handled than were before; how many are missing in the end.
    fn until_handled(&self, before: u64, published: u64) -> anyhow::Result<u64> {
        let until = hull_clock::now() + HANDLED_WITHIN;
        loop {
            let missing = (before + published).saturating_sub(self.handled()?);
            if missing == 0 || hull_clock::now() >= until {
                return Ok(missing);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn handled(&self) -> anyhow::Result<u64> {
        let database = Connection::open_with_flags(&self.events, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .with_context(|| format!("cannot open {}", self.events.display()))?;
        let rows: i64 = database.query_row("SELECT count(*) FROM handled", [], |row| row.get(0))?;
        Ok(rows.cast_unsigned())
    }
}

impl Part {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    pub(super) fn add(&mut self, round: Measured) {
        self.rounds.push(round);
    }

    /// The sum of something over the rounds.
    pub(super) fn sum(&self, of: impl Fn(&Measured) -> u64) -> u64 {
        self.rounds.iter().map(of).sum()
    }

    /// The median of something over the rounds.
    pub(super) fn median(&self, of: impl Fn(&Measured) -> Duration) -> Duration {
        median(self.rounds.iter().map(of)).unwrap_or_default()
    }

    /// The latency that this share of the requests kept to: in the median round, in the best, and in the worst.
    pub(super) fn percentile(&self, share: f64) -> [Duration; 3] {
        let of = |round: &Measured| round.tally.served.percentile(share);
        let all = || self.rounds.iter().map(of);
        [self.median(of), all().min().unwrap_or_default(), all().max().unwrap_or_default()]
    }

    /// What the host used of CPU, and in what time, in seconds.
    pub(super) fn cpu(&self) -> (f64, f64) {
        let add = |(cpu, time): (f64, f64), round: &Measured| {
            (cpu + round.cpu.as_secs_f64(), time + round.tally.measured.as_secs_f64())
        };
        self.rounds.iter().fold((0.0, 0.0), add)
    }

    /// Everything that did not come to its end.
    pub(super) fn lost(&self) -> u64 {
        self.sum(|round| round.tally.errors() + round.streamed.broken + round.events_lost)
    }

    /// What the first one met that failed.
    pub(super) fn first_failure(&self) -> Option<&str> {
        let mut failures =
            self.rounds.iter().flat_map(|round| [&round.tally.first_failure, &round.streamed.first_failure]);
        failures.find_map(|failure| failure.as_deref())
    }
}
