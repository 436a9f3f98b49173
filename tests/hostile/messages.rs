//! Events: a handler that never ends, and one that answers each event with four of its kind.

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::events::{dead_letters, publish};
use hull_tests::host::Host;
use hull_tests::shared::{Running, Shared};
use hull_tests::wait;
use serde_json::{Value, json};

use crate::attack::{
    APP, STORAGE, at_least, attack, counted, ended, hostile, is_well_again, manifest, neighbour_is_well,
};

static ROOM: Shared = Shared::new(app);

fn subscribed(name: &str, trigger: &str, component: &str) -> String {
    format!("[[trigger.messaging]]\ncomponent = \"{name}\"\nsubjects = [\"{name}.*\"]\n{trigger}\n{component}")
}

fn app() -> anyhow::Result<App> {
    let looping = hostile("loop", STORAGE, "cpu-per-invocation = \"100ms\"\ntime = \"20s\"");
    let storm = hostile(
        "storm",
        &format!("{STORAGE}\nvariables = {{ subject = \"storm.go\" }}"),
        "messages = { rate = \"100/s\" }",
    );
    let storm = storm.replace("[component.storm.tool.hull]", "[component.storm.tool.hull]\npublishes = [\"storm.*\"]");
    let asking = hostile("asking", STORAGE, "time = \"2s\"\nconsumers = 32");
    let asking =
        asking.replace("[component.asking.tool.hull]", "[component.asking.tool.hull]\npublishes = [\"asking.*\"]");
    let rejecting = hostile("rejecting", STORAGE, "storage = \"4MiB\"");
    App::of_text(&manifest(&[
        subscribed("rejecting", "backoff = [\"1s\"]", &rejecting),
        subscribed("loop", "max-deliver = 2\nbackoff = [\"10ms\"]", &looping),
        subscribed("storm", "", &storm),
        subscribed("sleep", "max-deliver = 2\nbackoff = [\"10ms\"]", &hostile("sleep", STORAGE, "time = \"2s\"")),
        subscribed("asking", "max-deliver = 2\nbackoff = [\"10ms\"]", &asking),
        subscribed("witness", "", &hostile("witness", STORAGE, "")),
    ]))
}

fn room() -> anyhow::Result<Arc<Running>> {
    ROOM.get()
}

/// What the host tells of a component.
fn status(running: &Running, component: &str) -> anyhow::Result<Value> {
    let told = running.host().asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
    let components = told["components"].as_array().cloned().unwrap_or_default();
    Ok(components.into_iter().find(|one| one["component"] == component).unwrap_or_default())
}

/// Wait until a component has handled so many events.
fn handled(host: &Host, component: &str, least: f64) -> anyhow::Result<()> {
    let labels = format!("app=\"{APP}\",component=\"{component}\",outcome=\"handled\"");
    at_least(host, &format!("hull_events_total{{{labels}}}"), least).map(drop)
}

/// An event of somebody else's is handled.
fn witness_is_well(host: &Host) -> anyhow::Result<()> {
    let labels = format!("app=\"{APP}\",component=\"witness\",outcome=\"handled\"");
    let before = host.metric(&format!("hull_events_total{{{labels}}}"))?.unwrap_or(0.0);
    publish(host, APP, "witness.here", &json!("anything"))?;
    handled(host, "witness", before + 1.0)
}

/// An event whose handler is ended as often as it may be tried, and what the dead letter says of it.
fn is_given_up(component: &str, payload: &str, outcome: &str, resource: &str) -> anyhow::Result<String> {
    let room = room()?;
    let host = room.host();
    publish(host, APP, &format!("{component}.go"), &json!(payload))?;
    witness_is_well(host)?;
    neighbour_is_well(&room)?;
    let letter = wait::until("the dead letter", || Ok(dead_letters(host, APP, component)?.into_iter().next()))?;
    assert_eq!(letter["attempts"], 2, "{letter}");
    ended(host, component, "event", outcome, 2.0)?;
    counted(host, component, resource, 2.0)?;
    // The next event is handled.
    publish(host, APP, &format!("{component}.go"), &json!("anything else"))?;
    handled(host, component, 1.0)?;
    is_well_again(&room, component)?;
    Ok(letter["reason"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn an_endless_loop_in_a_handler() -> anyhow::Result<()> {
    let reason = is_given_up("loop", "loop", "cpu-exceeded", "cpu-per-invocation")?;
    assert!(reason.contains("limits.cpu-per-invocation"), "{reason}");
    Ok(())
}

#[test]
fn a_handler_that_sleeps_for_ever() -> anyhow::Result<()> {
    let reason = is_given_up("sleep", "sleep", "deadline-exceeded", "time")?;
    assert!(reason.contains("limits.time"), "{reason}");
    Ok(())
}

/// Each of its handlers waits for an answer that only another of them could give, and each of those asks again: the
/// chain has an end.
#[test]
fn a_handler_that_asks_itself() -> anyhow::Result<()> {
    let room = room()?;
    let host = room.host();
    publish(host, APP, "asking.go", &json!("ask"))?;
    witness_is_well(host)?;
    wait::until("the last of them to be given up", || {
        let asking = status(&room, "asking")?;
        Ok((asking["subscriptions"][0]["backlog"] == 0 && host.inside("asking")? == 0).then_some(()))
    })?;
    counted(host, "asking", "time", 1.0)?;
    is_well_again(&room, "asking")
}

/// Dead letters are part of what it stores: when there is no room for more, the event is not lost but comes again.
#[test]
fn a_flood_of_dead_letters() -> anyhow::Result<()> {
    const BYTES: usize = 200 << 10;
    const EVENTS: usize = 400;
    let room = room()?;
    let host = room.host();
    let payload = json!(format!("reject{}", "x".repeat(BYTES)));
    for _ in 0..EVENTS {
        publish(host, APP, "rejecting.go", &payload)?;
    }
    counted(host, "rejecting", "storage", 1.0)?;
    witness_is_well(host)?;
    neighbour_is_well(&room)?;
    let status = status(&room, "rejecting")?;
    let (letters, used) = (&status["storage"]["dead_letters"], &status["storage"]["bytes_used"]);
    assert!(letters.as_u64().is_some_and(|letters| letters < EVENTS as u64), "{status}");
    assert!(used.as_u64().is_some_and(|bytes| bytes <= 4 << 20), "{status}");
    room.client().get("/rejecting/hello")?.expect(200)?;
    Ok(())
}

/// Only so many a second are published, and each chain of them has an end.
#[test]
fn a_storm_of_events() -> anyhow::Result<()> {
    let room = room()?;
    let host = room.host();
    attack(&room, "storm", "publish")?.expect_json(200, &json!({"published": 4}))?;
    witness_is_well(host)?;
    counted(host, "storm", "messages-rate", 1.0)?;
    wait::until("the storm to be over", || {
        let storm = status(&room, "storm")?;
        let quiet = storm["storage"]["outbox"] == 0 && storm["subscriptions"][0]["backlog"] == 0;
        Ok((quiet && host.inside("storm")? == 0).then_some(()))
    })?;
    assert!(dead_letters(host, APP, "storm")?.is_empty(), "each handler ended well");
    is_well_again(&room, "storm")
}
