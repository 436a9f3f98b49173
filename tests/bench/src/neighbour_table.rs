//! Writes what neighbours did to a victim as Markdown tables, ready for docs/performance.md.

use std::fmt::Write as _;

use crate::attacker::Force;
use crate::neighbour::{Attacked, Row};
use crate::table::{milliseconds, thousands};
use crate::tally::Tally;
use crate::verdict::{self, Facts};

/// What all tables have in common, in one line.
pub(crate) fn setting(carried: f64, per_second: f64, seconds: u64) -> String {
    format!(
        "victim: GET of one product; it carries {}/s in a closed loop and is asked {} times a second; {seconds} s each\n",
        thousands(carried),
        thousands(per_second)
    )
}

/// Hull, with everything that is promised about it. `alone` is the victim with nobody beside it.
pub(crate) fn hull(alone: Option<&Tally>, rows: &[Row]) -> String {
    let mut text = String::from(
        "| attack | p50 | p99 | p99 just before | p99.9 | errors | attacker | its CPU | slowest healthz | memory before, \
         most, after | kept |\n|---|--:|--:|--:|--:|--:|---|--:|--:|--:|---|\n",
    );
    // Writing to a string does not fail.
    if let Some(alone) = alone {
        let _ = writeln!(text, "| none | {} | | | | | |", latencies(alone, None));
    }
    for row in rows {
        let name = row.attack.name();
        let _ = match &row.outcome {
            Ok(attacked) => {
                let missed = verdict::missed(&facts(attacked));
                let kept = if missed.is_empty() { "yes".to_owned() } else { format!("**no**: {}", missed.join(", ")) };
                let seen = latencies(&attacked.victim, Some(&attacked.alone));
                writeln!(text, "| {name} | {seen} | {} | {kept} |", host(attacked))
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
            Ok(attacked) => {
                let seen = latencies(&attacked.victim, Some(&attacked.alone));
                writeln!(text, "| {name} | {seen} | {} | {} |", force(attacked), cores(attacked))
            }
            Err(why) => writeln!(text, "{}", failed(name, why, 7)),
        };
    }
    text
}

fn failed(name: &str, why: &str, cells: usize) -> String {
    // A cell holds one line, and no bar.
    format!("| {name} | failed: {}{} |", why.replace(['|', '\n'], " "), " |".repeat(cells.saturating_sub(1)))
}

fn latencies(victim: &Tally, before: Option<&Tally>) -> String {
    let at = |tally: &Tally, share| milliseconds(tally.served.percentile(share));
    let before = before.map_or_else(String::new, |before| at(before, 0.99));
    let errors = match (&victim.first_failure, victim.errors()) {
        (Some(first), errors) if errors > 0 => format!("{errors} of {} ({})", victim.sent, first.replace('|', " ")),
        (_, errors) => errors.to_string(),
    };
    format!("{} | {} | {before} | {} | {errors}", at(victim, 0.5), at(victim, 0.99), at(victim, 0.999))
}

fn host(attacked: &Attacked) -> String {
    let mib = |bytes: u64| thousands(bytes as f64 / f64::from(1 << 20));
    let silent = match attacked.seen.silent {
        0 => String::new(),
        silent => format!(", {silent} of {} silent", attacked.seen.probes),
    };
    format!(
        "{} | {} | {}{silent} | {}, {}, {} MiB",
        force(attacked),
        cores(attacked),
        milliseconds(attacked.seen.slowest),
        mib(attacked.memory.0),
        mib(attacked.seen.resident_bytes_most),
        mib(attacked.memory.1)
    )
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
