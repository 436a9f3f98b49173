//! Fair CPU: a crowd that computes takes what is left over, not what its neighbours need; a cap delays and does not end.

use std::time::Duration;

use hull_tests::app::App;
use hull_tests::probe;
use hull_tests::shared::Running;
use serde_json::json;

/// Loops at once: many times the cores of any machine that this runs on.
const CROWD: usize = 48;

fn app() -> anyhow::Result<App> {
    let crowd = "[component.crowd.tool.hull.limits]\nconcurrency = 64\ntime = \"10s\"\ncpu-per-invocation = \"10s\"";
    let capped =
        "[component.capped.tool.hull.limits]\ntime = \"30s\"\ncpu-per-invocation = \"300ms\"\ncpu-rate = \"20%\"";
    App::of_text(
        &(probe::application("fair")
            + &probe::component("crowd", "", crowd)
            + &probe::component("capped", "", capped)
            + &probe::component("victim", "key_value_stores = [\"default\"]", "")),
    )
}

/// Where guests keep the serving threads, each of these answers waits for as many slices as there are loops, and the
/// loops are over long before the last of them.
#[test]
fn a_crowd_of_loops_leaves_a_neighbour_its_share() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let (host, client) = (running.host(), running.client());
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(client.request("POST", "/crowd/run").json(&json!([{"do": "loop"}])).start()?);
    }
    let everybody = |inside: u64| (inside == CROWD as u64).then_some(());
    hull_tests::wait::until("the crowd to be in", || Ok(everybody(host.inside("crowd")?)))?;
    for _ in 0..300 {
        client.get("/victim/hello")?.expect(200)?;
    }
    let stored = json!([{"do": "open", "store": "default"}, {"do": "set", "key": "k", "value": "v"}]);
    client.post("/victim/run", &stored)?.expect_json(200, &json!({"failed": 0}))?;
    host.admin().get("/healthz/live")?.expect(200)?;
    assert_eq!(host.inside("crowd")?, CROWD as u64, "all this came while the whole crowd was computing");
    for mut exchange in crowd {
        assert_eq!(exchange.head()?.status, 504);
    }
    client.get("/crowd/hello")?.expect(200)?;
    Ok(())
}

#[test]
fn a_cap_delays_what_goes_beyond_it() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let client = running.client();
    let begun = hull_clock::now();
    // It loops until its 300 ms of CPU time are used: a fifth of a second at once, the rest at a fifth of a core.
    let told = json!({"type": "urn:hull:problem:cpu-exceeded"});
    client.post("/capped/run", &json!([{"do": "loop"}]))?.expect_json(500, &told)?;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(450), "{took:?} is less than the cap allows");
    let cpu = running.host().metric("hull_cpu_seconds_total{app=\"fair\",component=\"capped\"}")?;
    assert!(cpu.is_some_and(|seconds| (0.25..0.6).contains(&seconds)), "{cpu:?} of 0.3 s");
    // Its neighbour is not delayed by it, and it is well again when its debt is paid.
    client.get("/victim/hello")?.expect(200)?;
    client.get("/capped/hello")?.expect(200)?;
    Ok(())
}
