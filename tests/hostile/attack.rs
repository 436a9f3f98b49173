//! An attack and what must come of it: the same few questions for every behaviour.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hull_tests::exchange::Exchange;
use hull_tests::host::Host;
use hull_tests::http::Answer;
use hull_tests::shared::Running;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

/// The app of every room.
pub(crate) const APP: &str = "hostile";
/// What storage has to be granted for.
pub(crate) const STORAGE: &str = "key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]";

/// How often the neighbour is asked while an attack goes on.
const NEIGHBOUR_REQUESTS: usize = 20;
/// Far above what it takes, on a machine that is busy with other tests, and far below what an attack takes.
const NEIGHBOUR_PATIENCE: Duration = Duration::from_secs(1);

/// A hostile component: `more` is for its `[component]` table, `limits` for its limits.
pub(crate) fn hostile(name: &str, more: &str, limits: &str) -> String {
    let limits = format!("[component.{name}.tool.hull.limits]\n{limits}");
    probe::component(name, more, &limits).replace("{probe}", "{hostile}")
}

/// The manifest of a room: these, and a neighbour.
pub(crate) fn manifest(components: &[String]) -> String {
    format!("{}{}\n{}", probe::application(APP), components.join("\n"), probe::component("neighbour", "", ""))
}

/// Begin an attack.
pub(crate) fn begin(running: &Running, component: &str, behaviour: &str) -> anyhow::Result<Exchange> {
    running.client().request("GET", &format!("/{component}/{behaviour}")).start()
}

/// Attack, look after the neighbour meanwhile, and say what the attack came to.
pub(crate) fn attack(running: &Running, component: &str, behaviour: &str) -> anyhow::Result<Answer> {
    let mut exchange = begin(running, component, behaviour)?;
    neighbour_is_well(running)?;
    let head = exchange.head()?;
    let body = exchange.body(&head)?;
    Ok(Answer { head, body })
}

/// Attack, and expect to be refused as a problem of that kind. Returns what else it says.
pub(crate) fn refused(
    running: &Running,
    component: &str,
    behaviour: &str,
    status: u16,
    kind: &str,
) -> anyhow::Result<Value> {
    let answer = attack(running, component, behaviour)?;
    answer.expect_json(status, &json!({"type": format!("urn:hull:problem:{kind}"), "status": status, "detail": "*"}))
}

/// The neighbour answers, and so does whoever asks for the host's health.
pub(crate) fn neighbour_is_well(running: &Running) -> anyhow::Result<()> {
    for _ in 0..NEIGHBOUR_REQUESTS {
        let begun = hull_clock::now();
        running.client().get("/neighbour/hello")?.expect(200)?;
        let took = begun.elapsed();
        anyhow::ensure!(took < NEIGHBOUR_PATIENCE, "the neighbour took {took:?}");
    }
    running.host().admin().get("/healthz/live")?.expect(200).map(drop)
}

/// The attacker's next request is served as if nothing had been.
pub(crate) fn is_well_again(running: &Running, component: &str) -> anyhow::Result<()> {
    running.host().until_idle(component)?;
    running.client().get(&format!("/{component}/hello"))?.expect(200)?;
    neighbour_is_well(running)
}

/// Wait until so much was counted as refused, ended or cut for that resource.
pub(crate) fn counted(host: &Host, component: &str, resource: &str, least: f64) -> anyhow::Result<f64> {
    let labels = format!("app=\"{APP}\",component=\"{component}\",resource=\"{resource}\"");
    at_least(host, &format!("hull_resource_rejected_total{{{labels}}}"), least)
}

/// Wait until so many invocations were counted with that outcome.
pub(crate) fn ended(host: &Host, component: &str, cause: &str, outcome: &str, least: f64) -> anyhow::Result<f64> {
    let labels = format!("app=\"{APP}\",cause=\"{cause}\",component=\"{component}\",outcome=\"{outcome}\"");
    at_least(host, &format!("hull_invocations_total{{{labels}}}"), least)
}

/// Wait until a series is so large.
pub(crate) fn at_least(host: &Host, series: &str, least: f64) -> anyhow::Result<f64> {
    let mut seen = None;
    let reached = wait::until(&format!("{series} to be {least}"), || {
        seen = host.metric(series)?;
        Ok(seen.filter(|value| *value >= least))
    });
    reached.map_err(|error| error.context(format!("it is {seen:?}")))
}

/// Measuring is for one at a time: what another attack takes meanwhile would be taken for this one's.
static MEASURING: Mutex<()> = Mutex::new(());

/// Until it is dropped, nobody else measures.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    MEASURING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Attack so often that everything is there that stays, and as often again: then no more may be in use than `slack_mib`
/// beyond that.
pub(crate) fn gives_back(
    host: &Host,
    times: usize,
    slack_mib: u64,
    attack: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let _alone = alone();
    (0..times).try_for_each(|_| attack())?;
    let before = host.resident_bytes()?;
    (0..times).try_for_each(|_| attack())?;
    let back = wait::until("the host's memory to be back", || {
        Ok((host.resident_bytes()? <= before + (slack_mib << 20)).then_some(()))
    });
    back.map_err(|error| error.context(format!("{before} bytes before, {:?} after", host.resident_bytes())))
}
