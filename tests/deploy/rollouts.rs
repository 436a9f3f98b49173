//! Rollouts through the real host: a canary that is as good is promoted by itself, one that is worse is given up by itself,
//! and whoever sees one revision keeps seeing it.

use std::collections::BTreeSet;
use std::time::Duration;

use hull_tests::app::App;
use hull_tests::host::Host;
use hull_tests::http::Client;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::parts::{app, manifest, serves};

/// The mark that a user sees, and the status.
fn ask(client: &Client, user: usize, script: &Value) -> anyhow::Result<(u16, String)> {
    let request = client.request("POST", "/front/run").header("x-user", &format!("user-{user}")).json(script);
    let answer = request.send()?;
    let mark = answer.json().ok().and_then(|told| told["results"][0].as_str().map(str::to_owned));
    Ok((answer.status(), mark.unwrap_or_default()))
}

fn mark() -> Value {
    json!([{ "do": "config", "key": "mark" }])
}

fn status(app: &App) -> anyhow::Result<Value> {
    app.command(&["rollout", "status", "--json"])?.json()
}

/// Ask as many users until the rollout has ended; how it did.
fn until_ended(app: &App, host: &Host, script: &Value) -> anyhow::Result<Value> {
    wait::until_within(Duration::from_mins(1), "the rollout to end", || {
        for user in 0..200 {
            ask(&host.client(), user, script)?;
        }
        let status = status(app)?;
        Ok(status["running"].is_null().then(|| status["last"].clone()))
    })
}

fn begun(text: &str, flags: &[&str]) -> anyhow::Result<(App, Host)> {
    let app = app("old")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    app.set_text(text)?;
    app.deploy(&[&["--sticky", "header:x-user"], flags].concat())?.good()?;
    Ok((app, host))
}

#[test]
fn a_canary_that_is_no_worse_is_promoted_by_itself() -> anyhow::Result<()> {
    let (app, host) = begun(&manifest("pair", "new", ""), &["--canary", "20%,50%", "--interval", "3s"])?;
    let first: BTreeSet<usize> = users_of(&host, "new")?;
    assert!((5..70).contains(&first.len()), "20% of 200 users are {}", first.len());
    let again = users_of(&host, "new")?;
    assert!(first.is_subset(&again), "whoever has seen it goes on to see it");
    let last = until_ended(&app, &host, &mark())?;
    assert_eq!((&last["outcome"], &last["revision"]), (&json!("promoted"), &json!(2)), "{last}");
    serves(&host.client(), "new")?;
    host.kill()?;
    let host = app.host()?;
    serves(&host.client(), "new")?;
    assert_eq!(app.command(&["history", "--json"])?.json()?["revisions"][0]["revision"], 2);
    let audit = app.command(&["audit"])?.good()?.stdout;
    assert!(audit.contains("rollout pair: promoted  revision 2"), "{audit}");
    Ok(())
}

/// Those of 200 users who see that mark.
fn users_of(host: &Host, wanted: &str) -> anyhow::Result<BTreeSet<usize>> {
    let mut users = BTreeSet::new();
    for user in 0..200 {
        let (status, seen) = ask(&host.client(), user, &mark())?;
        anyhow::ensure!(status == 200 && (seen == "old" || seen == "new"), "{status} {seen:?}");
        if seen == wanted {
            users.insert(user);
        }
    }
    Ok(users)
}

#[test]
fn a_canary_that_fails_is_given_up_by_itself_with_the_figures() -> anyhow::Result<()> {
    // The new revision has no room for what is asked.
    let broken = manifest("pair", "new", "[component.front.tool.hull.limits]\nmemory = \"8MiB\"");
    let work = json!([{ "do": "config", "key": "mark" }, { "do": "hog", "mib": 16 }]);
    let (app, host) = begun(&broken, &["--canary", "30%", "--interval", "1s"])?;
    let last = until_ended(&app, &host, &work)?;
    assert_eq!(last["outcome"], "aborted", "{last}");
    let reason = last["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("of its requests failed") && reason.contains("chance alone"), "{reason}");
    assert!(users_of(&host, "new")?.is_empty(), "everybody sees the old revision again");
    serves(&host.client(), "old")?;
    assert_eq!(app.command(&["history", "--json"])?.json()?["revisions"].as_array().map(Vec::len), Some(1));
    // And the mended version goes through.
    app.set_text(&manifest("pair", "mended", ""))?;
    app.deploy(&[])?.good()?;
    serves(&host.client(), "mended")
}

#[test]
fn a_canary_that_is_only_slower_is_given_up() -> anyhow::Result<()> {
    let slow = manifest("pair", "new", "[component.front.tool.hull.limits]\ncpu-rate = \"5%\"");
    let work = json!([{ "do": "config", "key": "mark" }, { "do": "spin", "ms": 2 }]);
    let (app, host) = begun(&slow, &["--canary", "50%", "--interval", "2s"])?;
    let last = until_ended(&app, &host, &work)?;
    assert_eq!(last["outcome"], "aborted", "{last}");
    serves(&host.client(), "old")
}

#[test]
fn without_traffic_a_canary_waits_and_a_word_decides() -> anyhow::Result<()> {
    let (app, host) = begun(&manifest("pair", "new", ""), &["--canary", "10%", "--interval", "100ms"])?;
    let waiting = wait::until("it to say that it waits", || {
        let told = status(&app)?["running"]["waiting"].as_str().unwrap_or_default().to_owned();
        Ok((!told.is_empty()).then_some(told))
    })?;
    assert!(waiting.contains("too little traffic"), "{waiting}");
    let refused = app.deploy(&[])?;
    assert!(
        refused.status == Some(1) && refused.said().contains("a rollout of app pair is under way"),
        "{}",
        refused.said()
    );
    assert_eq!(app.command(&["rollback"])?.status, Some(1));
    app.command(&["rollout", "pause"])?.good()?;
    assert_eq!(status(&app)?["running"]["state"], "paused");
    host.kill()?;
    let host = app.host()?;
    assert_eq!(status(&app)?["running"]["state"], "paused", "it goes on after a crash as it was");
    assert!(!users_of(&host, "new")?.is_empty());
    app.command(&["rollout", "promote"])?.good()?;
    serves(&host.client(), "new")?;
    assert_eq!(app.command(&["rollout", "abort"])?.status, Some(1));
    Ok(())
}

#[test]
fn blue_and_green_are_switched_by_a_word() -> anyhow::Result<()> {
    let (app, host) = begun(&manifest("pair", "new", ""), &["--blue-green"])?;
    let preview = || -> anyhow::Result<Value> {
        let request = host.client().request("POST", "/front/run").header("x-hull-preview", "canary").json(&mark());
        Ok(request.send()?.expect(200)?.json()?["results"][0].clone())
    };
    assert_eq!(preview()?, "new");
    assert!(users_of(&host, "new")?.is_empty());
    app.command(&["rollout", "abort"])?.good()?;
    assert_eq!(preview()?, "old");
    app.deploy(&["--blue-green"])?.good()?;
    app.command(&["rollout", "promote"])?.good()?;
    serves(&host.client(), "new")?;
    app.command(&["rollback"])?.good()?;
    serves(&host.client(), "old")
}
