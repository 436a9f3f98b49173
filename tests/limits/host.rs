//! The bounds of the whole host: what is set aside must fit, and what is used must fit.

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::probe;
use hull_tests::shared::Running;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::downstream::downstream;
use crate::limited;
use crate::told::Counted;

/// What all of them want together is half as much again as the host has.
const CROWD: u64 = 6;
const EACH_MIB: u64 = 60;
const HOST_MIB: u64 = 256;

fn reserving(host: &str, first: &str, second: &str) -> anyhow::Result<App> {
    let one = |name: &str, reserve: &str| probe::component(name, "", &format!("reserve = {{ {reserve} }}"));
    let app = App::of_text(&(probe::application("reserved") + &one("first", first) + &one("second", second)))?;
    app.write("hull.toml", host)?;
    Ok(app.flags(["--config", "hull.toml"]))
}

#[test]
fn reservations_that_do_not_fit_are_refused() -> anyhow::Result<()> {
    let host = "[host]\nmemory = \"256MiB\"\nthreads = 1\n";
    let fits = reserving(host, "memory = \"128MiB\", cpu = \"60%\"", "memory = \"128MiB\", cpu = \"40%\"")?;
    let running = Running::start(fits)?;
    running.client().get("/second/hello")?.expect(200)?;
    drop(running);
    let refused = |first: &str, second: &str, parts: &[&str]| -> anyhow::Result<()> {
        let ended = reserving(host, first, second)?.up_ends()?;
        assert_eq!(ended.status, Some(1), "{}", ended.said());
        for part in parts {
            assert!(ended.stderr.contains(part), "no {part:?}: {}", ended.stderr);
        }
        Ok(())
    };
    let lines =
        ["reserve.memory = \"128MiB\" of [component.first.tool.hull]", "reserve.memory = \"129MiB\"", "[host] memory"];
    refused("memory = \"128MiB\"", "memory = \"129MiB\"", &lines)?;
    let lines = ["reserve.cpu = \"60%\" of [component.first.tool.hull]", "reserve.cpu = \"41%\"", "[host] threads"];
    refused("cpu = \"60%\"", "cpu = \"41%\"", &lines)
}

#[test]
fn memory_of_the_whole_host() -> anyhow::Result<()> {
    let downstream = downstream()?;
    let lines = "memory = \"128MiB\"\ncpu-per-invocation = \"10s\"\ntime = \"30s\"\noutbound = { time = \"30s\" }";
    let components = limited("hoarder", &downstream.grant(), "", lines) + &probe::component("modest", "", "");
    let app = App::of_text(&(probe::application("whole") + &components))?;
    app.write("hull.toml", &format!("[host]\nmemory = \"{HOST_MIB}MiB\"\n"))?;
    let running = Arc::new(Running::start(app.flags(["--config", "hull.toml"]))?);
    let client = running.client();
    let mut counted = Counted::of(&running, "hoarder")?;
    let script = json!([{"do": "hog", "mib": EACH_MIB}, {"do": "call", "url": downstream.url("hold/hoard")}]);
    let mut crowd = Vec::new();
    for number in 1..=CROWD {
        crowd.push(client.request("POST", "/hoarder/run").json(&script).start()?);
        // One after the other: each holds its memory, or was turned away, before the next one comes.
        wait::until("it to be in or turned away", || {
            let refused = counted.since()?.get("host").copied().unwrap_or(0);
            Ok((downstream.held("hoard") as u64 + refused == number).then_some(()))
        })?;
        client.get("/modest/hello")?.expect(200)?;
    }
    downstream.release("hoard");
    let (mut served, mut shed) = (0, 0);
    for mut exchange in crowd {
        let head = exchange.head()?;
        let body: Value = serde_json::from_slice(&exchange.body(&head)?)?;
        if head.status == 200 {
            served += 1;
        } else {
            assert_eq!((head.status, &body["type"]), (503, &json!("urn:hull:problem:shed")), "{body}");
            shed += 1;
        }
    }
    assert!(served >= 1 && served * EACH_MIB <= HOST_MIB, "{served} of {CROWD} held {EACH_MIB} MiB each of {HOST_MIB}");
    counted.rose(&[("host", shed)])?;
    wait::until("all to have ended", || Ok((running.host().inside("hoarder")? == 0).then_some(())))?;
    client.post("/hoarder/run", &script)?.expect_json(200, &json!({"failed": 0}))?;
    Ok(())
}
