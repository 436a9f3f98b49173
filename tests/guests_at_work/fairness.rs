//! Fair CPU: a crowd that computes takes what is left over, not what its neighbours need; a cap delays and does not end.

use std::time::Duration;

use hull_tests::app::App;
use hull_tests::exchange::Exchange;
use hull_tests::http::Client;
use hull_tests::shared::Running;
use hull_tests::{probe, wait};
use serde_json::json;

/// Loops at once: many times the cores of any machine that this runs on.
const CROWD: usize = 48;
/// What the neighbour is asked meanwhile.
const ANSWERS: usize = 900;

fn app() -> anyhow::Result<App> {
    let crowd = "[component.crowd.tool.hull.limits]\nconcurrency = 64\ntime = \"30s\"\ncpu-per-invocation = \"30s\"";
    let brief = "[component.brief.tool.hull.limits]\nconcurrency = 64\ntime = \"5s\"\ncpu-per-invocation = \"10s\"";
    let capped = "[component.capped.tool.hull.limits]\ntime = \"30s\"\ncpu-per-invocation = \"1s\"\ncpu-rate = \"25%\"";
    App::of_text(
        &(probe::application("fair")
            + &probe::component("crowd", "", crowd)
            + &probe::component("brief", "", brief)
            + &probe::component("capped", "", capped)
            + &probe::component("victim", "key_value_stores = [\"default\"]", "")),
    )
}

/// A crowd in that component.
fn loops(client: &Client, component: &str) -> anyhow::Result<Vec<Exchange>> {
    let request = client.request("POST", &format!("/{component}/run")).json(&json!([{"do": "loop"}]));
    (0..CROWD).map(|_| request.start()).collect()
}

/// Where guests keep the serving threads, each of these answers waits for as many slices as there are loops, and the
/// loops are over long before the last of them.
#[test]
fn a_crowd_of_loops_leaves_a_neighbour_its_share() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let (host, client) = (running.host(), running.client());
    let crowd = loops(&client, "crowd")?;
    let are_inside = |number: usize| anyhow::Ok((host.inside("crowd")? == number as u64).then_some(()));
    wait::until("the crowd to be in", || are_inside(CROWD))?;
    for _ in 0..ANSWERS {
        client.get("/victim/hello")?.expect(200)?;
    }
    let stored = json!([{"do": "open", "store": "default"}, {"do": "set", "key": "k", "value": "v"}]);
    client.post("/victim/run", &stored)?.expect_json(200, &json!({"failed": 0}))?;
    host.admin().get("/healthz/live")?.expect(200)?;
    assert_eq!(host.inside("crowd")?, CROWD as u64, "all this came while the whole crowd was computing");
    drop(crowd);
    wait::until("the crowd to be gone", || are_inside(0))?;
    client.get("/crowd/hello")?.expect(200)?;
    // One that nobody calls off has its time.
    for mut exchange in loops(&client, "brief")? {
        assert_eq!(exchange.head()?.status, 504);
    }
    client.get("/brief/hello")?.expect(200)?;
    Ok(())
}

#[test]
fn a_cap_delays_what_goes_beyond_it() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let client = running.client();
    let begun = hull_clock::now();
    // It loops until its second of CPU time is used: a quarter of it at once, the rest at a quarter of a core.
    let told = json!({"type": "urn:hull:problem:cpu-exceeded"});
    client.post("/capped/run", &json!([{"do": "loop"}]))?.expect_json(500, &told)?;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(2_700), "{took:?} is less than the cap allows");
    let cpu = running.host().metric("hull_cpu_seconds_total{app=\"fair\",component=\"capped\"}")?;
    assert!(cpu.is_some_and(|seconds| (0.83..2.0).contains(&seconds)), "{cpu:?} of 1 s");
    // Its neighbour is not delayed by it, and it is well again when its debt is paid.
    client.get("/victim/hello")?.expect(200)?;
    client.get("/capped/hello")?.expect(200)?;
    Ok(())
}
