//! Writes what neighbours did to a victim as Markdown tables, ready for docs/performance.md.

use std::fmt::Write as _;
use std::time::Duration;

use crate::attacker::Force;
use crate::neighbour::{Attacked, Options, Row};
use crate::rounds::{median, middle};
use crate::table::{milliseconds, spread, thousands};
use crate::tally::Tally;
use crate::verdict::{self, Facts};

/// What all tables have in common, in two lines.
pub(crate) fn setting(carried: f64, per_second: f64, options: &Options) -> String {
    let Options { rounds, seconds, .. } = options;
    format!(
        "victim: GET of one product; it carries {}/s in a closed loop and is asked {} times a second\n{rounds} rounds in \
         turns, {seconds} s each: medians, p99 with the best and the worst round, all errors, and the slowest answer of \
         `healthz`; the attacker's own figures are those of the round with the median p99\n",
        thousands(carried),
        thousands(per_second)
    )
}

/// Hull, with everything that is promised about it. `alone` is the victim with nobody beside it, in each round.
pub(crate) fn hull(alone: &[Tally], rows: &[Row]) -> String {
    let mut text = String::from(
        "| attack | p50 | p99 | p99 just before | p99.9 | errors | attacker | its CPU | slowest healthz | memory before, \
         most, after | kept |\n|---|--:|--:|--:|--:|--:|---|--:|--:|--:|---|\n",
    );
    // Writing to a string does not fail.
    if !alone.is_empty() {
        let alone: Vec<&Tally> = alone.iter().collect();
        let _ = writeln!(text, "| none | {} | | | | | |", latencies(&alone, &[]));
    }
    for row in rows {
        let name = row.attack.name();
        let _ = match &row.outcome {
            Ok(rounds) => {
                writeln!(text, "| {name} | {} | {} | {} |", seen(rounds), host(rounds), kept(rounds))
            }
            Err(why) => writeln!(text, "{}", failed(name, why, 10)),
        };
    }
    text
}

/// A native server in a process of its own, of which nothing is promised.
pub(crate) fn native(rows: &[Row]) -> String {
    let mut text = String::from(
        "| attack | p50 | p99 | p99 just before | p99.9 | errors | attacker | its CPU |\n\
         |---|--:|--:|--:|--:|--:|---|--:|\n",
    );
    for row in rows {
        let name = row.attack.name();
        let _ = match &row.outcome {
            Ok(rounds) => writeln!(text, "| {name} | {} | {} |", seen(rounds), attacker(rounds)),
            Err(why) => writeln!(text, "{}", failed(name, why, 7)),
        };
    }
    text
}

fn failed(name: &str, why: &str, cells: usize) -> String {
    // A cell holds one line, and no bar.
    format!("| {name} | failed: {}{} |", why.replace(['|', '\n'], " "), " |".repeat(cells.saturating_sub(1)))
}

/// What the victim saw.
fn seen(rounds: &[Attacked]) -> String {
    let victim: Vec<&Tally> = rounds.iter().map(|round| &round.victim).collect();
    let before: Vec<&Tally> = rounds.iter().map(|round| &round.alone).collect();
    latencies(&victim, &before)
}

fn latencies(victim: &[&Tally], before: &[&Tally]) -> String {
    let at = |tallies: &[&Tally], share| milliseconds(percentile(tallies.iter().copied(), share));
    let before = if before.is_empty() { String::new() } else { at(before, 0.99) };
    let (best, worst) = spread(victim.iter().map(|tally| tally.served.percentile(0.99).as_secs_f64() * 1000.0));
    let range = if best < worst { format!(" ({best:.1}–{worst:.1})") } else { String::new() };
    let (sent, errors) = victim.iter().fold((0, 0), |sum, tally| (sum.0 + tally.sent, sum.1 + tally.errors()));
    let first = victim.iter().find(|tally| tally.errors() > 0).and_then(|tally| tally.first_failure.as_deref());
    let errors = match first {
        Some(first) => format!("{errors} of {sent} ({})", first.replace('|', " ")),
        None => errors.to_string(),
    };
    format!("{} | {}{range} | {before} | {} | {errors}", at(victim, 0.5), at(victim, 0.99), at(victim, 0.999))
}

/// The median of what so many of those served waited at the most.
fn percentile<'a>(tallies: impl Iterator<Item = &'a Tally>, share: f64) -> Duration {
    median(tallies.map(|tally| tally.served.percentile(share))).unwrap_or_default()
}

fn host(rounds: &[Attacked]) -> String {
    let mib = |bytes: u64| thousands(bytes as f64 / f64::from(1 << 20));
    let (silent, probes) =
        rounds.iter().fold((0, 0), |sum, round| (sum.0 + round.seen.silent, sum.1 + round.seen.probes));
    let silent = if silent == 0 { String::new() } else { format!(", {silent} of {probes} silent") };
    let (before, after) = memory(rounds);
    format!(
        "{} | {}{silent} | {}, {}, {} MiB",
        attacker(rounds),
        milliseconds(rounds.iter().map(|round| round.seen.slowest).max().unwrap_or_default()),
        mib(before),
        mib(rounds.iter().map(|round| round.seen.resident_bytes_most).max().unwrap_or_default()),
        mib(after)
    )
}

/// How much of an attack it was, in the round with the median p99.
fn attacker(rounds: &[Attacked]) -> String {
    let middle = middle(rounds, |round| round.victim.served.percentile(0.99));
    middle.map(|round| format!("{} | {}", force(round), cores(round))).unwrap_or_default()
}

/// Before and after, in the round where the host grew by the median part of what it had.
fn memory(rounds: &[Attacked]) -> (u64, u64) {
    let grown = |round: &Attacked| round.memory.1 as f64 / round.memory.0 as f64;
    middle(rounds, grown).map(|round| round.memory).unwrap_or_default()
}

/// What the attacker got done.
fn force(attacked: &Attacked) -> String {
    let tally = match &attacked.force {
        Force::Deploys(ready, lasted) => return format!("{ready} starts of the shop in {:.1} s", lasted.as_secs_f64()),
        Force::Requests(tally, rate) => {
            let offered = rate.map(|rate| format!("of {}/s due ", thousands(rate))).unwrap_or_default();
            (tally, offered)
        }
    };
    let (tally, offered) = tally;
    let mut parts = vec![format!("{offered}{}/s sent", rate(tally.per_second(tally.sent)))];
    let counts = [
        ("served", tally.served.total()),
        ("shed", tally.shed.total()),
        ("failed", tally.failed),
        ("cut off", tally.broken),
    ];
    let some = counts.into_iter().filter(|(_, count)| *count > 0);
    parts.extend(some.map(|(name, count)| format!("{}/s {name}", rate(tally.per_second(count)))));
    if attacked.used.events > 0.0 {
        parts.push(format!("{}/s events", rate(attacked.used.events / tally.measured.as_secs_f64())));
    }
    parts.join(", ")
}

/// Few of something are worth a decimal.
fn rate(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.1}") } else { thousands(per_second) }
}

fn cores(attacked: &Attacked) -> String {
    let lasted = match &attacked.force {
        // What compiles is not a component of this host.
        Force::Deploys(..) => return String::new(),
        Force::Requests(tally, _) => tally.measured,
    };
    format!("{:.2}", attacked.used.cpu_seconds / lasted.as_secs_f64())
}

/// Whether the promises were kept.
fn kept(rounds: &[Attacked]) -> String {
    let facts: Vec<Facts> = rounds.iter().map(facts).collect();
    let missed = verdict::missed(&facts);
    if missed.is_empty() {
        return "yes".to_owned();
    }
    let in_rounds = |(goal, times): &(&str, usize)| format!("{goal} in {times} of {}", rounds.len());
    format!("**no**: {}", missed.iter().map(in_rounds).collect::<Vec<_>>().join(", "))
}

fn facts(attacked: &Attacked) -> Facts {
    Facts {
        errors: attacked.victim.errors(),
        p99_alone: attacked.alone.served.percentile(0.99),
        p99: attacked.victim.served.percentile(0.99),
        health: attacked.seen.slowest,
        memory_before: attacked.memory.0,
        memory_after: attacked.memory.1,
    }
}

#[cfg(test)]
#[path = "neighbour_table_tests.rs"]
mod tests;
