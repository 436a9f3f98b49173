//! `bench overload`: what is left of a component's best when it is offered several times as much. What cannot be served
//! in time has to be turned away, and that has to cost next to nothing.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;

use crate::clients::{Pace, Plan};
use crate::connection::{Request, request};
use crate::load::Load;
use crate::process::Process;
use crate::stage::{self, Stage};
use crate::table::{milliseconds, thousands};
use crate::tally::Tally;
use crate::{attacks, machine};

/// How long to measure.
pub(crate) struct Options {
    /// Each row.
    pub(crate) seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { seconds: 10 }
    }
}

/// The compartment of the component: so many are inside,
pub(crate) const AT_ONCE: usize = 16;
/// and so many more may wait, for 250 ms.
pub(crate) const WAITING: usize = 32;
/// More than are inside and in the queue together, so that those who are turned away find a free one.
const CONNECTIONS: usize = 256;
/// How many times its best the component is offered.
const TIMES: [u32; 4] = [1, 2, 5, 10];
/// An answer that takes longer is of no use to anyone; counted from when the request was due.
const DEADLINE: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_secs(1);
const DRAIN: Duration = Duration::from_secs(10);
/// The goal, at the most that is offered.
const GOODPUT_MIN: f64 = 0.90;

/// Measure and print.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::prepare()?;
    let host = stage.host(stage::NO_RESERVE, &[])?;
    let work = request("POST", "/worker/run", &attacks::work());
    let measured = Duration::from_secs(options.seconds);

    eprintln!("measuring what the component carries");
    let before = best(&host.process, &work, measured)?;
    let mut rows = Vec::new();
    for times in TIMES {
        eprintln!("offering {times} times as much");
        let per_second = before * f64::from(times);
        let tally = plan(host.process.address, &work, per_second, measured).run(|_| Ok(()))?;
        rows.push(Row { times, per_second, tally });
    }
    eprintln!("measuring what the component carries, once more");
    let best = best(&host.process, &work, measured)?.max(before);

    println!("\n{}", machine::describe());
    println!(
        "a component that computes; {AT_ONCE} at once, {WAITING} wait; best of two closed loops: {}/s; {measured:?} each\n",
        thousands(best)
    );
    println!("{}", render(best, &rows));
    if let Some(most) = rows.last() {
        let reached = goodput(&most.tally) / best;
        let verdict = if reached >= GOODPUT_MIN { "yes" } else { "**no**" };
        println!("goodput at {} times its best at least {GOODPUT_MIN:.2} of it: {reached:.2}, {verdict}", most.times);
    }
    Ok(())
}

/// What came of one offer.
struct Row {
    times: u32,
    per_second: f64,
    tally: Tally,
}

/// Requests a second that are served when no more are sent than are taken at once.
fn best(host: &Process, work: &Request, measured: Duration) -> anyhow::Result<f64> {
    let load = Load { address: host.address, request: work.clone(), connections: AT_ONCE, warm_up: WARM_UP, measured };
    Ok(load.run(|| host.cpu()).context("cannot tell what the component carries")?.rate)
}

fn plan(address: SocketAddr, work: &Request, per_second: f64, measured: Duration) -> Plan {
    Plan {
        address,
        connections: CONNECTIONS,
        pace: Pace::Open(per_second),
        requests: vec![work.clone()],
        warm_up: WARM_UP,
        measured,
        drain: DRAIN,
        is_strict: false,
    }
}

/// Served within the deadline, per second.
fn goodput(tally: &Tally) -> f64 {
    tally.per_second(tally.served.within(DEADLINE))
}

fn render(best: f64, rows: &[Row]) -> String {
    let mut text = format!(
        "| offered, times best | due/s | sent/s | served within {DEADLINE:?}/s | of best | turned away | neither | \
         p50 served | p99 served | p99 turned away |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for Row { times, per_second, tally } in rows {
        let turned_away = tally.shed.total() as f64 / (tally.sent.max(1)) as f64;
        let cells = [
            times.to_string(),
            thousands(*per_second),
            thousands(tally.per_second(tally.sent)),
            thousands(goodput(tally)),
            format!("{:.2}", goodput(tally) / best),
            format!("{:.0} %", turned_away * 100.0),
            (tally.failed + tally.broken + tally.unsent).to_string(),
            milliseconds(tally.served.percentile(0.5)),
            milliseconds(tally.served.percentile(0.99)),
            milliseconds(tally.shed.percentile(0.99)),
        ];
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Row, goodput, render};
    use crate::tally::Tally;

    #[test]
    fn late_answers_are_not_good_ones() {
        let mut tally = Tally::new(Duration::from_secs(2));
        tally.sent = 200;
        for served in 0..100 {
            tally.answered(200, Duration::from_millis(if served < 90 { 10 } else { 1_500 }));
            tally.answered(503, Duration::from_millis(1));
        }
        assert!((goodput(&tally) - 45.0).abs() < f64::EPSILON);
        let text = render(50.0, &[Row { times: 2, per_second: 100.0, tally }]);
        assert!(text.contains("| 2 | 100 | 100 | 45 | 0.90 | 50 % | 0 | "), "{text}");
    }
}
