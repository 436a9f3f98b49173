//! The parallel run through the real host: the new version gets copies of requests, its answers reach nobody, nothing that
//! it does has an effect, and what it answers otherwise is told field by field.

use hull_tests::app::App;
use hull_tests::host::Host;
use hull_tests::http::{Answer, Client};
use hull_tests::wait;
use serde_json::{Value, json};

use crate::parts::{app, manifest, serves};

/// A GET that runs a script.
fn ask(client: &Client, script: &Value) -> anyhow::Result<Answer> {
    client.request("GET", "/front/run").header("x-script", &script.to_string()).send()?.expect(200)
}

fn report(app: &App) -> anyhow::Result<Value> {
    Ok(app.command(&["rollout", "status", "--json"])?.json()?["running"]["shadow"].clone())
}

/// The report once so many copies have come to their end.
fn settled(app: &App, wanted: u64) -> anyhow::Result<Value> {
    wait::until("the copies to be run", || {
        let report = report(app)?;
        let reasons = report["not_compared"].as_object().into_iter().flatten();
        let others: u64 = reasons.filter_map(|(_, count)| count.as_u64()).sum();
        let counts = ["same", "different", "failed", "dropped"].iter().filter_map(|key| report[key].as_u64());
        Ok((counts.sum::<u64>() + others >= wanted).then_some(report))
    })
}

fn begun(mark: &str, more: &str, flags: &[&str]) -> anyhow::Result<(App, Host)> {
    let app = app("old")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    app.set_text(&manifest("pair", mark, more))?;
    app.deploy(&[&["--shadow"], flags].concat())?.good()?;
    Ok((app, host))
}

#[test]
fn a_shadow_that_answers_alike_is_promoted_by_a_word() -> anyhow::Result<()> {
    let (app, host) = begun("old", "reuse = \"serial\"", &[])?;
    for number in 0..20 {
        let script = json!([{ "do": "config", "key": "mark" }, { "do": "get", "key": format!("k{number}") }]);
        assert_eq!(ask(&host.client(), &script)?.json()?["results"], json!(["old", null]));
    }
    let report = settled(&app, 20)?;
    assert_eq!(
        (&report["same"], &report["different"], &report["failed"]),
        (&json!(20), &json!(0), &json!(0)),
        "{report}"
    );
    // Other methods are not copied.
    serves(&host.client(), "old")?;
    app.command(&["rollout", "promote"])?.good()?;
    assert_eq!(app.command(&["history", "--json"])?.json()?["revisions"][0]["revision"], 2);
    // From now on what it writes stays, whatever its instances did before.
    for number in 1..=5 {
        let told = ask(&host.client(), &json!([{ "do": "increment", "key": "n", "by": 1 }]))?.json()?;
        assert_eq!(told["results"][0], number, "{told}");
    }
    Ok(())
}

#[test]
fn what_a_shadow_answers_otherwise_is_told_and_reaches_nobody() -> anyhow::Result<()> {
    let (app, host) = begun("new", "", &[])?;
    let script = json!([{ "do": "config", "key": "mark" }]);
    for _ in 0..3 {
        assert_eq!(ask(&host.client(), &script)?.json()?["results"][0], "old");
    }
    let report = settled(&app, 3)?;
    assert_eq!(report["different"], 3, "{report}");
    let mismatches = report["mismatches"].as_array().cloned().unwrap_or_default();
    assert_eq!(mismatches.len(), 1, "{report}");
    let expected = json!({
        "method": "GET", "route": "/front/...", "target": "/front/run", "request_id": mismatches[0]["request_id"],
        "field": "/results/*", "old": "\"old\"", "new": "\"new\"", "count": 3,
    });
    assert_eq!(mismatches[0], expected);
    let told = app.command(&["rollout", "status"])?.good()?.stdout;
    assert!(told.contains("3 times GET /front/... /results/*: \"new\" instead of \"old\""), "{told}");
    // It goes on after a crash, from nothing.
    host.kill()?;
    let host = app.host()?;
    ask(&host.client(), &script)?;
    assert_eq!(settled(&app, 1)?["different"], 1);
    app.command(&["rollout", "abort"])?.good()?;
    ask(&host.client(), &script)?;
    serves(&host.client(), "old")
}

#[test]
fn fields_that_may_differ_are_passed_over() -> anyhow::Result<()> {
    let (app, host) = begun("new", "", &["--ignore", "/results/*"])?;
    ask(&host.client(), &json!([{ "do": "config", "key": "mark" }]))?;
    assert_eq!(settled(&app, 1)?["same"], 1);
    Ok(())
}

#[test]
fn answers_of_a_told_length_are_compared_and_paths_are_meant_as_the_gateway_means_them() -> anyhow::Result<()> {
    let (app, host) = begun("old", "", &[])?;
    for (number, path) in (1..).zip(["/front/told-body", "/nowhere/../front/told-body", "/nowhere/%2e%2e//front/hello"])
    {
        host.client().get(path)?.expect(200)?;
        let report = settled(&app, number)?;
        assert_eq!(report["same"], number, "{path}: {report}");
    }
    Ok(())
}

#[test]
fn nothing_that_a_shadow_does_has_an_effect() -> anyhow::Result<()> {
    let (app, host) = begun("old", "", &[])?;
    let client = host.client();
    // Each request counts once, though two versions have run it, and the shadow sees what it has written itself.
    let script = json!([{ "do": "increment", "key": "n", "by": 1 }, { "do": "get", "key": "n" }]);
    for number in 1..=5 {
        let told = ask(&client, &script)?.json()?;
        assert_eq!(told["results"][0], number, "{told}");
        settled(&app, number)?;
    }
    assert_eq!(ask(&client, &json!([{ "do": "get", "key": "n" }]))?.json()?["results"][0], "5");
    let report = settled(&app, 6)?;
    // It reads what the old version has written by then: its own count is one ahead.
    assert_eq!((&report["different"], &report["same"]), (&json!(5), &json!(1)), "{report}");
    // SQL that may write cannot be undone without holding up the writer: it is told, and not run.
    let write = json!([{ "do": "execute", "sql": "CREATE TABLE IF NOT EXISTS t (n INTEGER)" },
        { "do": "execute", "sql": "INSERT INTO t VALUES (1)" }]);
    ask(&client, &write)?;
    let report = settled(&app, 7)?;
    assert_eq!(report["not_compared"], json!({ "it ran a statement that may write": 1 }));
    let rows = ask(&client, &json!([{ "do": "query", "sql": "SELECT count(*) FROM t" }]))?.json()?;
    assert_eq!(rows["results"][0], json!([[1]]), "{rows}");
    assert_eq!(settled(&app, 8)?["same"], 2);
    Ok(())
}

#[test]
fn calls_are_answered_by_what_the_old_version_was_answered() -> anyhow::Result<()> {
    // Two components are active: without a reserve the one that has used more may be over its share.
    let (app, host) = begun("new", "reserve = { cpu = \"50%\" }", &[])?;
    let client = host.client();
    // What is called counts how often: a second call would be another answer.
    let count = json!([{ "do": "increment", "key": "calls", "by": 1 }]);
    let call = json!([{ "do": "call", "url": "http://back.internal/run", "script": count }]);
    for number in 1..=3 {
        let told = ask(&client, &call)?.json()?;
        assert_eq!(told["results"][0]["body"]["results"][0], number, "{told}");
        let report = settled(&app, number)?;
        assert_eq!(report["same"], number, "{report}");
    }
    Ok(())
}

#[test]
fn a_shadow_that_fails_is_told_and_nobody_notices() -> anyhow::Result<()> {
    let (app, host) = begun("old", "[component.front.tool.hull.limits]\ncpu-per-invocation = \"1ms\"", &[])?;
    // Some 30 ms of CPU, however long that takes on a busy machine.
    let script = json!([{ "do": "work", "turns": 40_000_000 }]);
    for number in 1..=4 {
        ask(&host.client(), &script)?;
        settled(&app, number)?;
    }
    let report = report(&app)?;
    assert_eq!(report["failed"], 4, "{report}");
    let why = report["mismatches"][0]["new"].as_str().unwrap_or_default();
    assert!(why.contains("CPU"), "{why}");
    let series = "hull_invocations_total{app=\"pair\",cause=\"http\",component=\"front\",outcome=\"cpu-exceeded\"}";
    assert_eq!(host.metric(series)?, None, "the component's own figures are of what it answered");
    Ok(())
}

#[test]
fn a_shadow_that_never_ends_holds_up_nobody() -> anyhow::Result<()> {
    // The new version waits where the old one does not.
    let (app, host) = begun("old", "[component.front.tool.hull.limits]\ncpu-rate = \"1%\"", &[])?;
    let client = host.client();
    let script = json!([{ "do": "spin", "ms": 5 }]);
    // At one percent each run of the shadow takes half a second: to wait for all of them would take twice as long.
    let began = hull_clock::now();
    for _ in 0..200 {
        ask(&client, &script)?;
    }
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(50), "{took:?}");
    let dropped = report(&app)?["dropped"].as_u64().unwrap_or_default();
    assert!(dropped > 0, "what the shadow cannot keep up with is dropped");
    Ok(())
}
