//! Writes what the swaps did as Markdown, ready for docs/performance.md: what each part measured, then the goals.

use std::fmt::Write as _;
use std::time::Duration;

use super::fresh::First;
use super::phase::Part;
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
    pub(super) parts: &'a [Part; 5],
    pub(super) rollback: Rollback,
    pub(super) first: First,
    pub(super) settled_bytes: u64,
    pub(super) last_bytes: u64,
}

impl Results<'_> {
    /// Two tables.
    pub(super) fn render(&self) -> Option<String> {
        let [quiet, _, swaps, revisions, _] = self.parts;
        let mut text = format!("{} requests a second, half of the most\n\n", thousands(self.rate));
        text += "| beside | commands, each | the host's CPU for each | requests | failed | streams, broken | events lost \
                 | p50 | p99, best–worst round | times | p99.9 |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
        for part in self.parts {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}", row(part, quiet));
        }
        let lost: u64 = self.parts.iter().map(Part::lost).sum::<u64>() + self.rollback.lost;
        if let Some(failure) = self.parts.iter().find_map(Part::first_failure) {
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
        (quiet.sum(|round| round.tally.served.total()) > 0).then_some(text)
    }
}

fn ms(time: Duration) -> String {
    milliseconds(time)
}

fn ratio(part: &Part, quiet: &Part) -> f64 {
    let p99 = |part: &Part| part.percentile(0.99)[0].as_secs_f64();
    p99(part) / p99(quiet).max(f64::MIN_POSITIVE)
}

fn times(goal: &'static str, part: &Part, quiet: &Part) -> (&'static str, String, bool) {
    let ratio = ratio(part, quiet);
    (goal, format!("{ratio:.2}"), ratio <= P99_TIMES_MAX)
}

fn row(part: &Part, quiet: &Part) -> String {
    let ((cpu, time), (quiet_cpu, quiet_time)) = (part.cpu(), quiet.cpu());
    let used = cpu - quiet_cpu / quiet_time.max(f64::MIN_POSITIVE) * time;
    let commands = part.sum(|round| round.commands.into());
    let (commands, used) = if commands == 0 {
        (String::new(), String::new())
    } else {
        let used = Duration::from_secs_f64((used / commands as f64).max(0.0));
        (format!("{commands}, {}", ms(part.median(|round| round.command))), ms(used))
    };
    let [p99, best, worst] = part.percentile(0.99);
    format!(
        "| {} | {commands} | {used} | {} | {} | {}, {} | {} | {} | {}, {}–{} | {:.2} | {} |",
        part.name,
        thousands(part.sum(|round| round.tally.sent) as f64),
        part.sum(|round| round.tally.errors()),
        part.sum(|round| round.streamed.whole),
        part.sum(|round| round.streamed.broken),
        part.sum(|round| round.events_lost),
        ms(part.percentile(0.5)[0]),
        ms(p99),
        ms(best),
        ms(worst),
        ratio(part, quiet),
        ms(part.percentile(0.999)[0]),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{First, Part, Results, Rollback};
    use crate::swap::phase::Measured;
    use crate::swap::streams::Streamed;
    use crate::tally::Tally;

    fn measured(commands: u32, latency_ms: u64) -> Measured {
        let mut tally = Tally::new(Duration::from_secs(10));
        for _ in 0..100 {
            tally.sent += 1;
            tally.answered(200, Duration::from_millis(latency_ms));
        }
        let (command, cpu) = (Duration::from_millis(30), Duration::from_secs(4) + commands * Duration::from_millis(8));
        Measured { tally, streamed: Streamed::default(), events_lost: 0, commands, command, cpu }
    }

    #[test]
    fn goals_are_judged_by_the_median_of_the_rounds() {
        let part = |name, commands, latencies: [u64; 3]| {
            let mut part = Part::new(name);
            latencies.into_iter().for_each(|latency| part.add(measured(commands, latency)));
            part
        };
        let mut lost = measured(5, 20);
        lost.events_lost = 1;
        let mut compile = part("compile", 5, [20, 20, 20]);
        compile.add(lost);
        let parts = [
            part("none", 0, [10, 40, 10]),
            part("refused", 5, [10, 10, 10]),
            part("swaps", 5, [90, 12, 12]),
            part("revisions", 5, [20, 20, 5]),
            compile,
        ];
        let ms = Duration::from_millis;
        let rollback = Rollback { effective: ms(40), effective_most: ms(60), ended: ms(45), lost: 0 };
        let first = First { median: ms(1), most: ms(3), second: ms(1) };
        let results =
            Results { rate: 1000.0, parts: &parts, rollback, first, settled_bytes: 100 << 20, last_bytes: 104 << 20 };
        let text = results.render().expect("a table");
        for part in [
            "| swaps | 15, 30.000 ms | 8.000 ms | 300 | 0 |",
            "| nothing failed or lost | 1 | **no** |",
            "component ≤ 1.3 times | 1.20 | yes |",
            "shop ≤ 1.3 times | 2.0",
            "| 100 to 104 MiB | yes |",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
