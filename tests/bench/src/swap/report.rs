//! Writes what the swaps did as Markdown, ready for docs/performance.md: what each part measured, then the goals.

use std::fmt::Write as _;
use std::time::Duration;

use super::fresh::First;
use super::phase::Measured;
use super::rollback::Rollback;
use crate::table::{milliseconds, thousands};

/// The goals.
const P99_TIMES_MAX: f64 = 1.3;
const ROLLBACK_MAX: Duration = Duration::from_millis(50);
const FIRST_MAX: Duration = Duration::from_millis(2);
const GROWTH_MAX: f64 = 1.05;

/// All of it.
pub(super) struct Results<'a> {
    /// Requests a second.
    pub(super) rate: f64,
    /// The first one is without any command; then the refused ones, the swaps, the revisions and what compiles.
    pub(super) phases: &'a [&'a Measured; 5],
    pub(super) rollback: Rollback,
    pub(super) first: First,
    pub(super) settled_bytes: u64,
    pub(super) last_bytes: u64,
}

impl Results<'_> {
    /// Two tables.
    pub(super) fn render(&self) -> Option<String> {
        let [quiet, _, swaps, revisions, _] = self.phases;
        let quiet_rate = quiet.cpu.as_secs_f64() / quiet.tally.measured.as_secs_f64();
        let mut text = format!("{} requests a second, half of the most\n\n", thousands(self.rate));
        text += "| beside | commands, each | the host's CPU for each | requests | failed | streams, broken | events lost \
                 | p50 | p99 | times | p99.9 |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
        for phase in self.phases {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}", row(phase, quiet, quiet_rate));
        }
        let lost: u64 = self.phases.iter().map(|phase| phase.lost()).sum::<u64>() + self.rollback.lost;
        let failures = self.phases.iter().flat_map(|phase| [&phase.tally.first_failure, &phase.streamed.first_failure]);
        if let Some(failure) = failures.flatten().next() {
            let _ = writeln!(text, "\nthe first failure: {failure}");
        }
        let growth = self.last_bytes as f64 / (self.settled_bytes as f64).max(1.0);
        let Rollback { effective, effective_most, ended, .. } = self.rollback;
        let First { median, most, second } = self.first;
        text += "\n| goal | measured | |\n|---|--:|---|\n";
        let rows = [
            ("nothing failed or lost", lost.to_string(), lost == 0),
            times("p99 during swaps of a component ≤ 1.3 times", swaps, quiet),
            times("p99 during revisions of the shop ≤ 1.3 times", revisions, quiet),
            (
                "rollback effective ≤ 50 ms after the command (median)",
                format!("{}; the worst {}, the command's end {}", ms(effective), ms(effective_most), ms(ended)),
                effective <= ROLLBACK_MAX,
            ),
            (
                "no growth of memory after the fiftieth swap",
                format!("{} to {} MiB", self.settled_bytes >> 20, self.last_bytes >> 20),
                growth <= GROWTH_MAX,
            ),
            (
                "first request to a new component ≤ 2 ms (median)",
                format!("{}; the worst {}, the second {}", ms(median), ms(most), ms(second)),
                median <= FIRST_MAX,
            ),
        ];
        for (goal, measured, is_met) in rows {
            let _ = writeln!(text, "| {goal} | {measured} | {} |", if is_met { "yes" } else { "**no**" });
        }
        (quiet.tally.served.total() > 0).then_some(text)
    }
}

fn ms(time: Duration) -> String {
    milliseconds(time)
}

fn ratio(phase: &Measured, quiet: &Measured) -> f64 {
    phase.percentile(0.99).as_secs_f64() / quiet.percentile(0.99).as_secs_f64().max(f64::MIN_POSITIVE)
}

fn times(goal: &'static str, phase: &Measured, quiet: &Measured) -> (&'static str, String, bool) {
    let ratio = ratio(phase, quiet);
    (goal, format!("{ratio:.2}"), ratio <= P99_TIMES_MAX)
}

fn row(phase: &Measured, quiet: &Measured, quiet_rate: f64) -> String {
    let used = phase.cpu.as_secs_f64() - quiet_rate * phase.tally.measured.as_secs_f64();
    let commands = phase.commands;
    let (commands, used) = if commands == 0 {
        (String::new(), String::new())
    } else {
        let used = Duration::from_secs_f64((used / f64::from(commands)).max(0.0));
        (format!("{commands}, {}", ms(phase.command)), ms(used))
    };
    format!(
        "| {} | {commands} | {used} | {} | {} | {}, {} | {} | {} | {} | {:.2} | {} |",
        phase.name,
        thousands(phase.tally.sent as f64),
        phase.tally.errors(),
        phase.streamed.whole,
        phase.streamed.broken,
        phase.events_lost,
        ms(phase.percentile(0.5)),
        ms(phase.percentile(0.99)),
        ratio(phase, quiet),
        ms(phase.percentile(0.999)),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{First, Measured, Results, Rollback};
    use crate::swap::streams::Streamed;
    use crate::tally::Tally;

    fn measured(name: &'static str, commands: u32, latency_ms: u64) -> Measured {
        let mut tally = Tally::new(Duration::from_secs(10));
        for _ in 0..100 {
            tally.sent += 1;
            tally.answered(200, Duration::from_millis(latency_ms));
        }
        let (command, cpu) = (Duration::from_millis(30), Duration::from_secs(4) + commands * Duration::from_millis(8));
        Measured { name, tally, streamed: Streamed::default(), events_lost: 0, commands, command, cpu }
    }

    #[test]
    fn goals_are_judged_by_what_was_measured_without_swaps() {
        let mut parts =
            [("none", 0, 10), ("refused", 5, 10), ("swaps", 5, 12), ("revisions", 5, 20), ("compile", 5, 20)]
                .map(|(name, commands, latency)| measured(name, commands, latency));
        let ms = Duration::from_millis;
        let rollback = Rollback { effective: ms(40), effective_most: ms(60), ended: ms(45), lost: 0 };
        let first = First { median: ms(1), most: ms(3), second: ms(1) };
        parts[4].events_lost = 1;
        let [one, two, three, four, five] = &parts;
        let phases = [one, two, three, four, five];
        let results =
            Results { rate: 1000.0, phases: &phases, rollback, first, settled_bytes: 100 << 20, last_bytes: 104 << 20 };
        let text = results.render().expect("a table");
        for part in [
            "| swaps | 5, 30.000 ms | 8.000 ms | 100 | 0 |",
            "| nothing failed or lost | 1 | **no** |",
            "component ≤ 1.3 times | 1.20 | yes |",
            "shop ≤ 1.3 times | 2.0",
            "| 100 to 104 MiB | yes |",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
