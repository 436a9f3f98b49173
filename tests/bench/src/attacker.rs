//! Carries out an attack for a while and tells how much of it there was.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::attacks::{self, Attack};
use crate::clients::{Pace, Plan};
use crate::connection::Request;
use crate::process::Process;
use crate::stage::Stage;
use crate::tally::Tally;
use crate::{app, exchange};

/// The clients of an attacker stand for other machines: they give way to those of the victim, which share this one.
const NICENESS: i32 = 10;
/// The flood is so many times what the attacked component carries.
const FLOOD_TIMES: f64 = 20.0;
const CAPACITY_TIME: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_secs(1);
/// An attacked component is at rest again within this, or something is wrong.
const REST_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(250);
/// The shop, as the project runs it.
const SHOP: &str = "spin.toml";

/// How an attack is carried out.
#[derive(Clone)]
pub(crate) enum Attacker {
    /// By clients that send requests.
    Clients(Plan),
    /// By starting hosts.
    Deploys,
}

/// How much of an attack there was.
pub(crate) enum Force {
    /// What became of its requests, and how many a second it was to send, if that was fixed.
    Requests(Tally, Option<f64>),
    /// How many hosts became ready, and in how long.
    Deploys(u32, Duration),
}

/// What the metrics of a host say about the attacked component, since it was started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    /// Of CPU.
    pub(crate) cpu_seconds: f64,
    /// Events that were delivered to it.
    pub(crate) events: f64,
    /// Invocations that run at this moment.
    pub(crate) inside: f64,
}

impl Used {
    /// What was added since then.
    pub(crate) fn since(self, before: Self) -> Self {
        let cpu_seconds = self.cpu_seconds - before.cpu_seconds;
        Self { cpu_seconds, events: self.events - before.events, inside: self.inside }
    }
}

impl Attacker {
    /// Prepare it for a host whose attacked component is warm; the flood is measured out here.
    pub(crate) fn prepare(attack: Attack, stage: &Stage, host: &Process) -> anyhow::Result<Self> {
        let pace = match attack {
            Attack::Deploys => return Ok(Self::Deploys),
            Attack::Flood => Pace::Open(FLOOD_TIMES * capacity(attack, stage, host)?),
            _ => Pace::Closed,
        };
        let plan = closed(host, attack.connections(), attack.requests(stage.silent), Duration::ZERO);
        Ok(Self::Clients(Plan { pace, ..plan }))
    }

    /// Attack for so long.
    pub(crate) fn attack(self, stage: &Stage, lasts: Duration) -> anyhow::Result<Force> {
        rustix::process::nice(NICENESS).context("cannot give way to the victim's clients")?;
        match self {
            Self::Clients(plan) => {
                let rate = if let Pace::Open(per_second) = plan.pace { Some(per_second) } else { None };
                Ok(Force::Requests(Plan { measured: lasts, ..plan }.run(|_| Ok(()))?, rate))
            }
            Self::Deploys => deploy(stage, lasts),
        }
    }
}

/// Requests a second that the attacked component serves when there is nothing else to do.
fn capacity(attack: Attack, stage: &Stage, host: &Process) -> anyhow::Result<f64> {
    let mut plan = closed(host, attacks::CONCURRENCY / 2, attack.requests(stage.silent), CAPACITY_TIME);
    plan.warm_up = Duration::from_millis(500);
    let tally = plan.run(|_| Ok(()))?;
    anyhow::ensure!(tally.served.total() > 0, "the attacked component serves nothing: {:?}", tally.first_failure);
    Ok(tally.per_second(tally.served.total()))
}

/// Every host has an empty cache, and so compiles the whole shop.
fn deploy(stage: &Stage, lasts: Duration) -> anyhow::Result<Force> {
    let begin = hull_clock::now();
    let mut ready = 0;
    while begin.elapsed() < lasts {
        let folder = stage.folder()?;
        drop(app::up_from(&stage.hull(), Path::new(SHOP), folder.path(), &[])?);
        ready += 1;
    }
    Ok(Force::Deploys(ready, begin.elapsed()))
}

/// Have as many instances at once as the attack will, so that nothing of the attack is for the first time.
pub(crate) fn warm_up(attack: Attack, host: &Process) -> anyhow::Result<()> {
    let tally = closed(host, attack.connections(), vec![attacks::harmless()], WARM_UP).run(|_| Ok(()))?;
    anyhow::ensure!(tally.served.total() > 0, "the attacked component does not answer: {:?}", tally.first_failure);
    Ok(())
}

/// Wait until nothing of the attack is left in the host.
pub(crate) fn rest(host: &Process) -> anyhow::Result<()> {
    let until = hull_clock::now() + REST_MAX;
    let mut events = None;
    loop {
        let used = used(host)?;
        // Events that follow from events are between two invocations at times.
        if used.inside == 0.0 && events == Some(used.events) {
            return Ok(());
        }
        anyhow::ensure!(hull_clock::now() < until, "the attacked component does not come to rest in {REST_MAX:?}");
        events = Some(used.events);
        std::thread::sleep(LOOK);
    }
}

fn closed(host: &Process, connections: usize, requests: Vec<Request>, measured: Duration) -> Plan {
    Plan {
        address: host.address,
        connections,
        pace: Pace::Closed,
        beat: Duration::ZERO,
        requests,
        warm_up: Duration::ZERO,
        measured,
        drain: Duration::ZERO,
        is_strict: false,
    }
}

/// What the attacked component has used so far.
pub(crate) fn used(host: &Process) -> anyhow::Result<Used> {
    let page = exchange::get(host.admin.context("the host told no admin address")?, "/metrics")?;
    let of_attacker = |name| exchange::metric(&page, name, &[r#"component="attacker""#]);
    Ok(Used {
        cpu_seconds: of_attacker("hull_cpu_seconds_total"),
        events: of_attacker("hull_events_total"),
        inside: of_attacker("hull_invocations_in_flight"),
    })
}
