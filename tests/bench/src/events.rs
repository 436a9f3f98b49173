//! `bench events`: handlers with one SQL write, in Hull over each bus, beside a native program doing the same.
//!
//! Each turn has two parts. First as many events as there are, published as fast as the bus takes them: how many are
//! handled in a second, from the first publish to the last commit. Then events at a pace that everybody carries: how long
//! it takes from a publish until its handler's write can be read by others.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::handlers::{Bus, Handler, Store};
use crate::histogram::Histogram;
use crate::machine;
use crate::publisher::Publisher;
use crate::rounds::median;
use crate::table::{milliseconds, thousands};

/// What to measure, and how thoroughly.
pub(crate) struct Options {
    /// How often each has its turn.
    pub(crate) rounds: usize,
    /// How many events are handled in the first part of a turn.
    pub(crate) events: u64,
    /// Only handlers with this in their name, and the native ones that write where they do.
    pub(crate) only: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 5, events: 20_000, only: String::new() }
    }
}

const HANDLERS: [Handler; 7] = [
    Handler::Native(Store::Sqlite),
    Handler::Hull(Bus::Nats, Store::Sqlite),
    Handler::HullSerial,
    Handler::Hull(Bus::Embedded { sync: true }, Store::Sqlite),
    Handler::Hull(Bus::Embedded { sync: false }, Store::Sqlite),
    Handler::Native(Store::Postgres),
    Handler::Hull(Bus::Nats, Store::Postgres),
];
/// Before anything counts.
const WARM_UP_EVENTS: u64 = 300;
const PACE: Duration = Duration::from_millis(5);
const PACED_EVENTS: u64 = 400;
/// How long a part may take.
const PART_TIME: Duration = Duration::from_mins(1);

/// One turn of one handler.
#[derive(Debug, Clone, Copy)]
struct Turn {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

/// Measure and print.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let programs = std::env::current_exe().context("cannot tell where this program is")?;
    let programs = programs.parent().context("this program is in no folder")?;
    let code = tempfile::tempdir().context("cannot make a folder for compiled code")?;
    let is_named = |handler: &Handler| handler.name().contains(&options.only);
    let is_beside = |handler: &Handler| {
        let its = |other: &&Handler| other.store() == handler.store();
        matches!(handler, Handler::Native(_)) && HANDLERS.iter().filter(its).any(is_named)
    };
    let is_wanted = |handler: &Handler| is_named(handler) || is_beside(handler);
    let mut results: Vec<(Handler, Vec<Turn>)> =
        HANDLERS.into_iter().filter(is_wanted).map(|handler| (handler, Vec::new())).collect();
    for round in 1..=options.rounds {
        for (handler, turns) in &mut results {
            eprintln!("round {round} of {}: {}", options.rounds, handler.name());
            turns.push(turn(*handler, programs, code.path(), options.events).context(handler.name())?);
        }
    }
    println!("\n{}", machine::describe());
    let (rounds, events, per_second) = (options.rounds, options.events, 1000 / PACE.as_millis());
    println!("{events} events at once, then {PACED_EVENTS} at {per_second} a second; {rounds} rounds, medians\n");
    println!("{}", render(&results));
    Ok(())
}

fn turn(handler: Handler, programs: &Path, code: &Path, events: u64) -> anyhow::Result<Turn> {
    let running = handler.start(programs, code)?;
    let witness = running.witness()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let until = || hull_clock::now() + PART_TIME;
        let mut publisher = Publisher::connect(&running.target).await?;
        publisher.publish(0, WARM_UP_EVENTS, None).await?;
        witness.take(WARM_UP_EVENTS as usize, until()).await?;

        let begin = hull_clock::now();
        publisher.publish(WARM_UP_EVENTS, events, None).await?;
        let committed = witness.take(events as usize, until()).await?;
        let last = committed.iter().map(|(_, at)| *at).max().context("no events")?;
        let rate = events as f64 / last.saturating_duration_since(begin).as_secs_f64();

        // A connection that nothing was asked on may have been closed meanwhile.
        let mut publisher = Publisher::connect(&running.target).await?;
        let sent = publisher.publish(WARM_UP_EVENTS + events, PACED_EVENTS, Some(PACE)).await?;
        let latencies = latencies(&sent, &witness.take(PACED_EVENTS as usize, until()).await?)?;
        Ok(Turn { rate, p50: latencies.percentile(0.5), p99: latencies.percentile(0.99) })
    })
}

fn latencies(sent: &[(u64, Instant)], handled: &[(u64, Instant)]) -> anyhow::Result<Histogram> {
    let handled: HashMap<u64, Instant> = handled.iter().copied().collect();
    let mut latencies = Histogram::new();
    for (number, at) in sent {
        let seen = handled.get(number).with_context(|| format!("event {number} was not handled"))?;
        latencies.record(seen.saturating_duration_since(*at));
    }
    Ok(latencies)
}

fn render(results: &[(Handler, Vec<Turn>)]) -> String {
    let rate = |turns: &[Turn]| median(turns.iter().map(|turn| turn.rate)).unwrap_or_default();
    let native = |store| {
        let found = results.iter().find(|(handler, _)| *handler == Handler::Native(store));
        found.map_or(0.0, |(_, turns)| rate(turns))
    };
    let mut text = "| handler | events/s | min–max | of native | p50 | p99 |\n|---|--:|--:|--:|--:|--:|\n".to_owned();
    for (handler, turns) in results {
        let time = |of: fn(&Turn) -> Duration| milliseconds(median(turns.iter().map(of)).unwrap_or_default());
        let rates = || turns.iter().map(|turn| turn.rate);
        let (least, most) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {}–{} | {:.2} | {} | {} |",
            handler.name(),
            thousands(rate(turns)),
            thousands(least),
            thousands(most),
            rate(turns) / native(handler.store()),
            time(|turn| turn.p50),
            time(|turn| turn.p99),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Handler, Turn, latencies, render};
    use crate::handlers::{Bus, Store};

    #[test]
    fn a_latency_is_from_its_own_publish_to_its_own_commit() {
        let begin = hull_clock::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let counted = latencies(&[(1, at(0)), (2, at(10))], &[(2, at(30)), (1, at(5))]).expect("both");
        assert_eq!(counted.total(), 2);
        assert_eq!(counted.within(Duration::from_millis(6)), 1);
        assert!(latencies(&[(3, at(0))], &[]).is_err(), "one that is lost is told");
    }

    #[test]
    fn ratios_are_to_the_native_one() {
        let turns = |rates: [f64; 3]| {
            rates.map(|rate| Turn { rate, p50: Duration::from_millis(2), p99: Duration::from_millis(9) }).to_vec()
        };
        let results = [
            (Handler::Native(Store::Sqlite), turns([4000.0, 5000.0, 3000.0])),
            (Handler::Hull(Bus::Nats, Store::Sqlite), turns([3000.0, 2000.0, 3500.0])),
        ];
        let text = render(&results);
        assert!(text.contains("| hull, NATS + SQLite | 3,000 | 2,000–3,500 | 0.75 | 2.000 ms | 9.000 ms |"), "{text}");
    }
}
