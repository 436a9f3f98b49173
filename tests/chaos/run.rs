//! A whole run: open the shop, let everybody in, strike, call it a day, and look at the books.

use std::fmt;
use std::time::Duration;

use hull_tests::http::Client;
use hull_tests::shop::customer;
use hull_tests::wait;
use serde_json::Value;

use crate::buyer::Buyer;
use crate::clerk::Clerk;
use crate::fault::Fault;
use crate::journal::{Journal, Notes};
use crate::market::{self, Shelf};
use crate::plan::Plan;
use crate::random::Random;
use crate::stage::Stage;
use crate::street::Street;
use crate::{audit, books, quiet};

const BUYERS: u64 = 4;
const CLERKS: u64 = 2;
/// How long whoever asked before the end goes on asking.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long it may take until nothing is on its way any more, beyond what the shop itself waits for.
const QUIET_TIME: Duration = Duration::from_mins(1);
/// How many orders are looked at through HTTP as well; the books have all of them.
const ASKED_MAX: usize = 400;
/// How many flaws are told.
const TOLD_MAX: usize = 30;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    plan: Plan,
    pub(crate) flaws: Vec<String>,
    struck: Vec<(Fault, u64)>,
    kills: u64,
    notes: Notes,
    confirmed: usize,
    cancelled: usize,
    written: usize,
    files: String,
}

/// Run it.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    println!("chaos on {}, seed {}, {:?} of load and faults", plan.pair.name(), plan.seed, plan.time);
    let (street, journal) = (Street::default(), Journal::default());
    let mut stage = Stage::set(plan, &street)?;
    stage.start()?;
    let shelves = market::open(&stage.host()?.client())?;
    load_and_strike(plan, &mut stage, &street, &journal, &shelves)?;

    let waits = Duration::from_secs(plan.patience_seconds().0 + plan.patience_seconds().1);
    let quiet = quiet::wait(stage.host()?, QUIET_TIME + if plan.customers { waits } else { Duration::ZERO });
    let mut notes = journal.into_notes();
    notes.flaws.extend(quiet.err().map(|error| format!("it does not become quiet: {error:#}")));
    notes.flaws.extend(from_outside(&stage, &notes)?);
    stage.stop_hosts()?;
    stage.stop_provider()?;
    let books = books::read(stage.shop()?, stage.postgres(), &stage.provider_app)?;
    let mut flaws = audit::flaws(&notes, &books, &shelves);
    flaws.extend(rebuilt(&mut stage)?);

    let ended = |status: &str| books.orders.values().filter(|order| order.status == status).count();
    let (struck, kills) = (stage.struck.iter().map(|(fault, count)| (*fault, *count)).collect(), stage.kills);
    let (confirmed, cancelled, written) = (ended("confirmed"), ended("cancelled"), books.written.len());
    let files = if flaws.is_empty() || plan.broken.is_some() {
        String::new()
    } else {
        let folders: Vec<String> = stage.keep().iter().map(|folder| folder.display().to_string()).collect();
        format!("its files are in {}", folders.join(", "))
    };
    Ok(Outcome { plan: *plan, flaws, struck, kills, notes, confirmed, cancelled, written, files })
}

/// Customers and clerks come and go while the faults strike; at the end everybody gets an answer.
fn load_and_strike(
    plan: &Plan,
    stage: &mut Stage<'_>,
    street: &Street,
    journal: &Journal,
    shelves: &[Shelf],
) -> anyhow::Result<()> {
    let faults = Fault::all_on(plan.pair, stage.means());
    std::thread::scope(|scope| {
        for n in 0..if plan.customers { BUYERS } else { 0 } {
            let random = Random::new(plan.seed, 100 + n);
            scope.spawn(move || Buyer { street, journal, shelves, random }.run());
        }
        for n in 0..CLERKS {
            let random = Random::new(plan.seed, 200 + n);
            scope.spawn(move || Clerk { street, journal, random }.run());
        }
        let struck = stage.strike_for(plan.time, &faults).and_then(|()| stage.calm());
        // Nobody waits for a host that does not come back.
        street.close(if struck.is_ok() { PATIENCE } else { Duration::ZERO });
        struck
    })
}

/// What customers see of their orders, what the provider says of them, and what operators see.
fn from_outside(stage: &Stage<'_>, notes: &Notes) -> anyhow::Result<Vec<String>> {
    let (client, provider) = (stage.host()?.client(), stage.provider()?);
    let mut flaws = Vec::new();
    for id in notes.orders.values().filter_map(|asked| asked.order.as_ref()).take(ASKED_MAX) {
        flaws.extend(order_from_outside(&client, &provider, id)?);
    }
    let letters = stage.host()?.asked("GET", "/v1/apps/shop/dead-letters")?.send()?.expect(200)?.json()?;
    if letters["dead_letters"].as_array().is_none_or(|letters| !letters.is_empty()) {
        flaws.push(format!("dead letters: {letters}"));
    }
    Ok(flaws)
}

fn order_from_outside(client: &Client, provider: &Client, id: &str) -> anyhow::Result<Option<String>> {
    let answer = client.get(&format!("/api/orders/{id}"))?;
    if answer.status() != 200 {
        return Ok(Some(format!("accepted order {id} is answered {}: {}", answer.status(), answer.text())));
    }
    let order = answer.json()?;
    let ledger = customer::ledger(provider, id)?;
    let charged = customer::statuses(&ledger).iter().filter(|status| **status == "charged").count();
    let expected = match order["status"].as_str() {
        Some("confirmed") => 1,
        Some("cancelled") => 0,
        _ => return Ok(Some(format!("order {id} is not at its end: {order}"))),
    };
    Ok((charged != expected).then(|| format!("order {id} is {}, and the provider has {ledger:?}", order["status"])))
}

/// The read model, made again from the events, is what it was.
fn rebuilt(stage: &mut Stage<'_>) -> anyhow::Result<Vec<String>> {
    let before = books::read_model(stage.shop()?, stage.postgres())?;
    stage.start()?;
    let client = stage.host()?.client();
    let mut after = String::new();
    loop {
        let rebuilt = wait::until("the read model to be made again", || {
            // A machine with much else to do may have no time for a page at first.
            let answer = client.post(&format!("/api/orders/_rebuild?after={after}"), &Value::Null)?;
            if answer.status() == 503 { Ok(None) } else { answer.expect(200)?.json().map(Some) }
        })?;
        let Some(next) = rebuilt["next"].as_str() else { break };
        next.clone_into(&mut after);
    }
    stage.stop_hosts()?;
    let again = books::read_model(stage.shop()?, stage.postgres())?;
    if before.len() != again.len() {
        return Ok(vec![format!("the read model had {} orders, made again it has {}", before.len(), again.len())]);
    }
    let differ = before.iter().zip(&again).filter(|(before, again)| before != again);
    Ok(differ.map(|(before, again)| format!("the read model has {before:?}, made again {again:?}")).collect())
}

impl Outcome {
    /// Say what was done and what came of it.
    pub(crate) fn print(&self) {
        println!("{self}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, notes, .. } = self;
        writeln!(f, "{}, seed {}: {} processes killed", plan.pair.name(), plan.seed, self.kills)?;
        for (fault, count) in &self.struck {
            writeln!(f, "  {count:5}  {}", fault.name())?;
        }
        let orders = notes.orders.len();
        writeln!(
            f,
            "{orders} orders: {} confirmed, {} cancelled; {} lines",
            self.confirmed, self.cancelled, self.written
        )?;
        let answers: Vec<String> = notes.statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        writeln!(f, "answers (0 is a connection that broke): {}", answers.join(", "))?;
        writeln!(f, "{} promises broken", self.flaws.len())?;
        for flaw in self.flaws.iter().take(TOLD_MAX) {
            writeln!(f, "- {flaw}")?;
        }
        write!(f, "{}", self.files)
    }
}
