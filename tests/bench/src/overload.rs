//! `bench overload`: what is left of a component's best when it is offered several times as much. What cannot be served
//! in time has to be turned away, and that has to cost next to nothing.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;

use crate::clients::{Pace, Plan};
use crate::connection::{Request, request};
use crate::load::Load;
use crate::machine;
use crate::overload_table::{self, Offer, Round};
use crate::process::Process;
use crate::stage::{self, Stage};

/// How long to measure.
pub(crate) struct Options {
    /// Rounds of all rows.
    pub(crate) rounds: usize,
    /// Each row, in each round.
    pub(crate) seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 3, seconds: 6 }
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
/// How often the clients look around: they are to leave the machine to the host.
const BEAT: Duration = Duration::from_millis(1);
const WARM_UP: Duration = Duration::from_secs(1);
const DRAIN: Duration = Duration::from_secs(10);

/// What the component does for a request.
struct Work {
    /// As the report calls it.
    name: &'static str,
    script: &'static str,
}

/// Both carry some 500 to 1,000 requests a second on two cores. The second one leaves room for the clients, as a machine of
/// their own would.
const WORKS: [Work; 2] = [
    Work { name: "computes for 2 to 4 ms", script: r#"[{"do":"work","turns":4000000}]"# },
    Work {
        name: "waits for 20 ms and computes for a tenth of one",
        script: r#"[{"do":"sleep","ms":20},{"do":"work","turns":150000}]"#,
    },
];

/// Measure and print.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::prepare()?;
    let measured = Duration::from_secs(options.seconds);
    let (rounds, described) = (options.rounds, machine::describe());
    let mut reports = Vec::new();
    for work in &WORKS {
        let host = stage.host(stage::NO_RESERVE, &[])?;
        let request = request("POST", "/worker/run", work.script);
        let mut measurements = Vec::with_capacity(rounds);
        for number in 1..=rounds {
            eprintln!("a component that {}, round {number} of {rounds}", work.name);
            measurements.push(round(&host.process, &request, measured)?);
        }
        reports.push(overload_table::render(work.name, &measurements));
    }
    println!("\n{described}");
    println!("{AT_ONCE} at once, {WAITING} wait; {rounds} rounds, {measured:?} each\n");
    println!("{}", reports.join("\n"));
    Ok(())
}

/// The best of the round is the better one of before and after all offers.
fn round(host: &Process, work: &Request, measured: Duration) -> anyhow::Result<Round> {
    let before = best(host, work, measured)?;
    let mut offers = Vec::with_capacity(TIMES.len());
    for times in TIMES {
        let per_second = before * f64::from(times);
        let tally = plan(host.address, work, per_second, measured).run(|_| Ok(()))?;
        offers.push(Offer { times, per_second, tally });
    }
    Ok(Round { best: best(host, work, measured)?.max(before), offers })
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
        beat: BEAT,
        requests: vec![work.clone()],
        warm_up: WARM_UP,
        measured,
        drain: DRAIN,
        is_strict: false,
    }
}
