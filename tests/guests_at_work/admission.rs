//! Compartments: what does not fit is turned away at once, and only where it does not fit.

use std::time::Duration;

use hull_tests::app::App;
use hull_tests::probe;
use hull_tests::shared::Running;
use serde_json::{Value, json};

/// More than the way to a client takes that does not read.
const HELD_BYTES: usize = 64 << 20;

fn app() -> anyhow::Result<App> {
    let bulkhead = "[application.tool.hull.bulkheads.narrow]\nconcurrency = 2\ninstances = 2\n\
        queue = { length = 1, wait = \"30s\" }\n";
    let member = |name: &str| {
        let limits = "time = \"60s\"\ncpu-per-invocation = \"10s\"";
        format!("bulkhead = \"narrow\"\n[component.{name}.tool.hull.limits]\n{limits}")
    };
    let calls = "allowed_outbound_hosts = [\"http://narrow-b.internal\"]";
    let alone = "[component.alone.tool.hull.limits]\nconcurrency = 1";
    App::of_text(
        &(probe::application("narrow")
            + bulkhead
            + &probe::component("narrow-a", calls, &member("narrow-a"))
            + &probe::component("narrow-b", "", &member("narrow-b"))
            + &probe::component("alone", "", alone)
            + &probe::component("wide", "", "")),
    )
}

#[test]
fn a_full_compartment_turns_away_at_once() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let (host, client) = (running.host(), running.client());
    let mut let_in = Vec::new();
    // Two run, for as long as nobody reads what they send, and one waits.
    for (component, inside, waiting) in [("narrow-a", 1, 0), ("narrow-b", 2, 0), ("narrow-a", 2, 1)] {
        let_in.push(client.request("GET", &format!("/{component}/download?bytes={HELD_BYTES}")).start()?);
        hull_tests::wait::until("the compartment to hold it", || {
            let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
            let components = told["components"].as_array().cloned().unwrap_or_default();
            let held = |one: &Value| one["bulkhead"]["inside"] == inside && one["bulkhead"]["waiting"] == waiting;
            Ok(components.iter().any(held).then_some(()))
        })?;
    }
    // Whoever comes now, to either of the two, is turned away, and not after a wait.
    for path in ["/narrow-a/hello", "/narrow-b/hello"] {
        let begun = hull_clock::now();
        let shed = client.get(path)?;
        assert!(begun.elapsed() < Duration::from_secs(3), "{path}: {:?}", begun.elapsed());
        assert!(shed.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok_and(|after| after > 0)));
        shed.expect_json(503, &json!({"type": "urn:hull:problem:shed", "detail": "*"}))?;
    }
    client.get("/wide/hello")?.expect(200)?;
    for mut exchange in let_in {
        let head = exchange.head()?;
        assert_eq!((head.status, exchange.body(&head)?.len()), (200, HELD_BYTES), "what was let in is served");
    }
    client.get("/narrow-b/hello")?.expect(200)?;
    Ok(())
}

#[test]
fn a_call_within_a_full_compartment_rides_on_its_callers_place() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let client = running.client();
    let inner = json!([{"do": "sleep", "ms": 200}]);
    let call = json!([{"do": "call", "url": "http://narrow-b.internal/run", "script": inner}]);
    let mut both = Vec::new();
    for _ in 0..2 {
        both.push(client.request("POST", "/narrow-a/run").json(&call).start()?);
    }
    for mut exchange in both {
        let head = exchange.head()?;
        let body = String::from_utf8(exchange.body(&head)?)?;
        assert!(head.status == 200 && body.contains("\"failed\":0"), "{body}");
    }
    Ok(())
}

#[test]
fn a_components_own_bound_is_its_own() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let client = running.client();
    let begin = || client.request("POST", "/alone/run").json(&json!([{"do": "sleep", "ms": 400}])).start();
    let all = (0..4).map(|_| begin()).collect::<anyhow::Result<Vec<_>>>()?;
    let mut served = 0;
    for mut exchange in all {
        let head = exchange.head()?;
        match head.status {
            200 => served += 1,
            503 => assert!(head.header("retry-after").is_some()),
            other => anyhow::bail!("{other}"),
        }
    }
    assert!(served >= 1);
    client.get("/wide/hello")?.expect(200)?;
    Ok(())
}
