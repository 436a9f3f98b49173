//! Who may come in: a component's own bound, its bulkhead's, and the queue before it.

use std::sync::Arc;
use std::time::Duration;

use hull_tests::shared::Running;
use hull_tests::{probe, wait};
use serde_json::json;

use crate::told::{Counted, bound, shown};
use crate::{Held, limited, limits};

pub(crate) fn manifest() -> String {
    let bulkhead = |name: &str, lines: &str| format!("[application.tool.hull.bulkheads.{name}]\n{lines}\n");
    let member = |name: &str| format!("bulkhead = \"{name}\"");
    [
        bulkhead("roomy", "queue = { length = 0 }"),
        bulkhead("few", "instances = 2\nqueue = { length = 0 }"),
        bulkhead("line", "concurrency = 1\nqueue = { length = 2, wait = \"20s\" }"),
        bulkhead("brief", "concurrency = 1\nqueue = { length = 4, wait = \"300ms\" }"),
        limited("own", "", &member("roomy"), "concurrency = 2\ntime = \"20s\""),
        probe::component("roommate", "", &member("roomy")),
        limited("few-a", "", &member("few"), "time = \"20s\""),
        limited("few-b", "", &member("few"), "time = \"20s\""),
        limited("line", "", &member("line"), "time = \"20s\""),
        limited("brief", "", &member("brief"), "time = \"20s\""),
    ]
    .concat()
}

/// Hold places until so many of a resource are in use.
fn until_used(running: &Running, component: &str, resource: &str, used: u32) -> anyhow::Result<()> {
    wait::until(&format!("{used} {resource} of {component} to be in use"), || {
        Ok((shown(running, component, resource)?.used == Some(f64::from(used))).then_some(()))
    })
}

fn shed(running: &Running, component: &str) -> anyhow::Result<()> {
    let answer = running.client().get(&format!("/{component}/hello"))?;
    let after = answer.header("retry-after").and_then(|after| after.parse::<u32>().ok());
    anyhow::ensure!(after.is_some_and(|after| after > 0), "when to come again: {:?}", answer.head);
    answer.expect_json(503, &json!({"type": "urn:hull:problem:shed", "component": component})).map(drop)
}

fn served(running: &Arc<Running>, component: &str) -> anyhow::Result<()> {
    running.client().get(&format!("/{component}/hello"))?.expect(200).map(drop)
}

#[test]
fn a_components_own_concurrency() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let (mut counted, mut mate) = (Counted::of(&running, "own")?, Counted::of(&running, "roommate")?);
    let held = [Held::start(&client, "own")?, Held::start(&client, "own")?];
    until_used(&running, "own", "concurrency", 2)?;
    bound(&running, "own", "concurrency", 2.0)?;
    for _ in 0..3 {
        shed(&running, "own")?;
    }
    counted.rose(&[("concurrency", 3)])?;
    // Its bulkhead has room, for others.
    served(&running, "roommate")?;
    held.into_iter().try_for_each(Held::finish)?;
    // A place is free once its guest is gone, which may be after the answer.
    until_used(&running, "own", "bulkhead", 0)?;
    served(&running, "own")?;
    mate.rose(&[])?;
    counted.rose(&[])
}

#[test]
fn instances_of_a_group() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let (mut a, mut b) = (Counted::of(&running, "few-a")?, Counted::of(&running, "few-b")?);
    // Both members take from the same two.
    let held = [Held::start(&client, "few-a")?, Held::start(&client, "few-b")?];
    until_used(&running, "few-a", "instances", 2)?;
    bound(&running, "few-b", "instances", 2.0)?;
    shed(&running, "few-a")?;
    shed(&running, "few-b")?;
    shed(&running, "few-b")?;
    a.rose(&[("instances", 1)])?;
    b.rose(&[("instances", 2)])?;
    held.into_iter().try_for_each(Held::finish)?;
    until_used(&running, "few-a", "instances", 0)?;
    served(&running, "few-a")?;
    served(&running, "few-b")
}

#[test]
fn places_in_the_queue() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "line")?;
    let inside = Held::start(&client, "line")?;
    until_used(&running, "line", "bulkhead", 1)?;
    bound(&running, "line", "bulkhead", 1.0)?;
    let waiting = [client.request("GET", "/line/hello").start()?, client.request("GET", "/line/hello").start()?];
    until_used(&running, "line", "queue", 2)?;
    bound(&running, "line", "queue", 2.0)?;
    let begun = hull_clock::now();
    shed(&running, "line")?;
    shed(&running, "line")?;
    assert!(begun.elapsed() < Duration::from_secs(5), "who finds the queue full does not wait: {:?}", begun.elapsed());
    counted.rose(&[("queue", 2)])?;
    inside.finish()?;
    for mut exchange in waiting {
        assert_eq!(exchange.head()?.status, 200, "who waited is let in");
    }
    counted.rose(&[])
}

#[test]
fn the_wait_in_the_queue() -> anyhow::Result<()> {
    let running = limits()?;
    let mut counted = Counted::of(&running, "brief")?;
    let inside = Held::start(&running.client(), "brief")?;
    until_used(&running, "brief", "bulkhead", 1)?;
    let begun = hull_clock::now();
    shed(&running, "brief")?;
    let took = begun.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(5)).contains(&took), "{took:?} of 300 ms");
    counted.rose(&[("queue", 1)])?;
    inside.finish()?;
    until_used(&running, "brief", "bulkhead", 0)?;
    served(&running, "brief")
}
