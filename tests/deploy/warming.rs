//! A version that cannot start, or is not well, is found out before it takes one request.

use hull_tests::app::App;
use hull_tests::{probe, wait};
use serde_json::json;

use crate::encoded::encoded;
use crate::parts::{app, manifest, serves};

/// A component that handles HTTP, with a start function.
fn starting(with: &str) -> anyhow::Result<Vec<u8>> {
    encoded(&format!(
        "(module (memory (export \"memory\") 1)
           (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
           (func (export \"wasi:http/incoming-handler@0.2.0#handle\") (param i32 i32))
           (func $begin {with})
           (start $begin))"
    ))
}

fn refused(app: &App, parts: &[&str]) -> anyhow::Result<()> {
    let ended = app.deploy(&[])?;
    assert_eq!(ended.status, Some(1), "{}", ended.said());
    for part in parts {
        assert!(ended.said().contains(part), "{part:?} in {}", ended.said());
    }
    Ok(())
}

#[test]
fn a_version_that_traps_or_loops_while_it_starts_is_refused() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    app.write("m/1_first.sql", "CREATE TABLE one (id INTEGER);")?;
    for (with, why) in [
        ("unreachable", "front: it cannot be started: pair/front failed: it panicked or aborted"),
        ("(loop $again (br $again))", "pair/front used more than its 50ms of CPU (limits.cpu-per-invocation)"),
    ] {
        std::fs::write(app.folder().join("start.wasm"), starting(with)?)?;
        let limits = "migrations = \"m\"\n[component.front.tool.hull.limits]\ncpu-per-invocation = \"50ms\"";
        app.set_text(&manifest("pair", "two", limits).replacen("{probe}", "start.wasm", 1))?;
        refused(&app, &[why, "nothing that serves was changed"])?;
        serves(&host.client(), "one")?;
    }
    let history = app.command(&["history", "--json"])?.json()?;
    assert_eq!(history["revisions"].as_array().map(Vec::len), Some(1));
    host.kill()?;
    let host = app.host()?;
    serves(&host.client(), "one")?;
    std::fs::write(app.folder().join("start.wasm"), starting("nop")?)?;
    app.deploy(&[])?.good()?;
    Ok(())
}

#[test]
fn what_was_migrated_before_it_is_told() -> anyhow::Result<()> {
    let app = app("one")?;
    let _host = app.host()?;
    app.write("m/1_first.sql", "CREATE TABLE one (id INTEGER);")?;
    std::fs::write(app.folder().join("start.wasm"), starting("unreachable")?)?;
    app.set_text(&manifest("pair", "two", "migrations = \"m\"").replacen("{probe}", "start.wasm", 1))?;
    refused(&app, &["it cannot be started", "migration 1 of front has run and stays"])
}

#[test]
fn a_version_that_is_not_well_does_not_take_the_place_of_another() -> anyhow::Result<()> {
    let health = |path: &str| manifest("pair", "two", &format!("health = {{ path = \"{path}\", timeout = \"10s\" }}"));
    let app = app("one")?;
    let host = app.host()?;
    app.set_text(&health("/front/trap-in-body"))?;
    // There is nothing yet that it could be worse than.
    app.deploy(&[])?.good()?;
    for (path, why) in
        [("/front/error-response", "the new version failed"), ("/front/no-response", "the new version failed")]
    {
        app.set_text(&health(path))?;
        refused(&app, &["front: asked how it is (GET /front/", why])?;
        serves(&host.client(), "two")?;
    }
    app.set_text(&health("/front/health"))?;
    app.deploy(&[])?.good()?;
    app.set_text(&health("/front/nothing-there"))?;
    app.deploy(&[])?.good()?;
    // Whoever goes back has a reason: what is gone back to is not asked, though it would not be well.
    app.command(&["rollback", "1"])?.good()?;
    let history = app.command(&["history", "--json"])?.json()?;
    assert_eq!((&history["revisions"][0]["revision"], &history["revisions"][0]["restores"]), (&json!(4), &json!(1)));
    serves(&host.client(), "two")
}

#[test]
fn a_candidate_is_warmed_before_it_is_tried() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    std::fs::write(app.folder().join("start.wasm"), starting("unreachable")?)?;
    app.set_text(&manifest("pair", "two", "").replacen("{probe}", "start.wasm", 1))?;
    let ended = app.deploy(&["--canary", "50%", "--interval", "1s"])?;
    assert!(ended.status == Some(1) && ended.said().contains("it cannot be started"), "{}", ended.said());
    serves(&host.client(), "one")?;
    assert!(app.command(&["rollout", "status", "--json"])?.json()?["running"].is_null());
    Ok(())
}

#[test]
fn a_serial_instance_that_was_warmed_has_served_nobody() -> anyhow::Result<()> {
    let app = App::of_text(&(probe::application("one") + &probe::component("front", "", "reuse = \"serial\"")))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    assert_eq!(probe::one(&host.client(), "/front/run", &json!({"do": "count"}))?, 1, "nobody was served before");
    wait::until("the guest's end", || Ok((host.inside("front")? == 0).then_some(())))?;
    assert_eq!(probe::one(&host.client(), "/front/run", &json!({"do": "count"}))?, 2);
    Ok(())
}

#[test]
fn compiling_is_on_the_component_s_account() -> anyhow::Result<()> {
    let app = app("one")?;
    app.without_cache()?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
    let used: u64 = [0, 1].iter().filter_map(|n| told["components"][n]["cpu_used_ms"].as_u64()).sum();
    assert!(used >= 50, "compiling the probe takes more than {used} ms");
    Ok(())
}
