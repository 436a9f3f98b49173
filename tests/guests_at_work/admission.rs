//! Compartments: what does not fit is turned away at once, and only where it does not fit.

use std::time::Duration;

use hull_tests::app::App;
use hull_tests::probe;
use hull_tests::shared::Running;
use serde_json::json;

fn app() -> anyhow::Result<App> {
    let bulkhead = "[application.tool.hull.bulkheads.narrow]\nconcurrency = 2\ninstances = 2\n\
        queue = { length = 1, wait = \"5s\" }\n";
    let member = "bulkhead = \"narrow\"";
    let calls = "allowed_outbound_hosts = [\"http://narrow-b.internal\"]";
    let alone = "[component.alone.tool.hull.limits]\nconcurrency = 1";
    App::of_text(
        &(probe::application("narrow")
            + bulkhead
            + &probe::component("narrow-a", calls, member)
            + &probe::component("narrow-b", "", member)
            + &probe::component("alone", "", alone)
            + &probe::component("wide", "", "")),
    )
}

#[test]
fn a_full_compartment_turns_away_at_once() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let (host, client) = (running.host(), running.client());
    let slow = json!([{"do": "sleep", "ms": 1_500}]);
    let mut inside = Vec::new();
    for path in ["/narrow-a/run", "/narrow-b/run", "/narrow-a/run"] {
        inside.push(client.request("POST", path).json(&slow).start()?);
    }
    // Two run and one waits; whoever comes now, to either of the two, is turned away.
    hull_tests::wait::until("the compartment to be full", || {
        let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
        let components = told["components"].as_array().cloned().unwrap_or_default();
        let full = components.iter().any(|one| one["bulkhead"]["inside"] == 2 && one["bulkhead"]["waiting"] == 1);
        Ok(full.then_some(()))
    })?;
    for path in ["/narrow-a/hello", "/narrow-b/hello"] {
        let begun = hull_clock::now();
        let shed = client.get(path)?;
        assert!(begun.elapsed() < Duration::from_millis(500), "{path}: {:?}", begun.elapsed());
        assert!(shed.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok_and(|after| after > 0)));
        shed.expect_json(503, &json!({"type": "urn:hull:problem:shed", "detail": "*"}))?;
    }
    client.get("/wide/hello")?.expect(200)?;
    for mut exchange in inside {
        assert_eq!(exchange.head()?.status, 200, "what was let in is served");
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
