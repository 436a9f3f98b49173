//! Removing an app: nothing of it is cut off, nothing of it is lost, and a crash leaves it removed or not. Purging it:
//! nothing is left.

use hull_tests::app::App;
use hull_tests::events;
use hull_tests::host::Host;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::crash::crashed;
use crate::parts::{app, manifest, serves};

const TRIGGER: &str = "[[trigger.messaging]]\ncomponent = \"front\"\nsubjects = [\"work.*\"]\n";
/// More steps are not there.
const STEPS_MAX: u64 = 30;

fn set(host: &Host, value: &str) -> anyhow::Result<()> {
    let step = json!([{ "do": "set", "key": "kept", "value": value }]);
    probe::must(&host.client(), "/front/run", &step).map(drop)
}

fn get(host: &Host, key: &str) -> anyhow::Result<Value> {
    probe::one(&host.client(), "/front/run", &json!({ "do": "get", "key": key }))
}

fn is_gone(host: &Host) -> anyhow::Result<()> {
    host.client().get("/front/hello")?.expect(404)?;
    let apps = host.asked("GET", "/v1/apps")?.send()?.expect(200)?.json()?;
    anyhow::ensure!(apps == json!({ "apps": [] }), "{apps}");
    Ok(())
}

#[test]
fn a_removed_app_is_gone_and_comes_back_with_its_data() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    set(&host, "yes")?;
    let told = app.command(&["remove", "pair"])?.good()?.stdout;
    assert!(told.contains("pair is removed, its data stays"), "{told}");
    is_gone(&host)?;
    assert!(!host.admin().get("/metrics")?.text().contains("app=\"pair\""), "its series are gone as well");
    assert_eq!(host.admin().get("/healthz/ready")?.status(), 200);
    let refused =
        app.command(&["deploy", "front", &hull_tests::files::guest("probe")?.display().to_string(), "--app", "pair"])?;
    assert!(
        refused.status == Some(1) && refused.said().contains("was removed; deploy its manifest"),
        "{}",
        refused.said()
    );
    host.kill()?;
    let host = app.host()?;
    assert_eq!(host.ready()["apps"], json!([]));
    is_gone(&host)?;
    let history = app.command(&["history", "--app", "pair", "--json"])?.json()?;
    assert_eq!(history["revisions"].as_array().map(Vec::len), Some(1), "what was deployed is still told");
    app.deploy(&[])?.good()?;
    serves(&host.client(), "one")?;
    assert_eq!(get(&host, "kept")?, "yes");
    let history = app.command(&["history", "--json"])?.json()?;
    assert_eq!(history["revisions"][0]["revision"], 2, "numbers go on");
    app.command(&["remove", "pair"])?.good()?;
    app.command(&["rollback", "1", "--app", "pair"])?.good()?;
    assert_eq!(get(&host, "kept")?, "yes", "a removed app can be rolled back to");
    let missing = app.command(&["remove", "nobody"])?;
    assert!(missing.status == Some(1) && missing.said().contains("there is no app nobody"), "{}", missing.said());
    let audit = app.command(&["audit", "-n", "50"])?.good()?.stdout;
    assert!(audit.contains("remove pair: done") && audit.contains("remove nobody: failed"), "{audit}");
    Ok(())
}

#[test]
fn what_runs_ends_and_other_apps_notice_nothing() -> anyhow::Result<()> {
    let limits = "[component.front.tool.hull.limits]\ntime = \"20s\"";
    let (one, other) = (
        App::of_text(&manifest("pair", "one", limits))?,
        App::of_text(&manifest("other", "x", "").replace("\"/front/", "\"/f/").replace("\"/back/", "\"/b/"))?,
    );
    let host = one.host()?;
    one.deploy(&[])?.good()?;
    one.command(&["deploy", "-f", &other.manifest().display().to_string()])?.good()?;
    let own = json!({ "do": "config", "key": "mark" });
    let script = json!([
        { "do": "set", "key": "late", "value": "written" },
        { "do": "call", "url": "http://back.internal/run", "script": [own] },
    ]);
    let script = script.to_string();
    // It waits inside for its script.
    let request = host.client().request("POST", "/front/run").header("transfer-encoding", "chunked");
    let mut running = request.start()?;
    wait::until("it to run", || Ok((host.metric("hull_invocations_in_flight")? == Some(1.0)).then_some(())))?;
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let removing = scope.spawn(|| one.command(&["remove", "pair"]));
        let status = || anyhow::Ok(host.client().get("/front/hello")?.status());
        wait::until("no other to be let in", || Ok((status()? == 404).then_some(())))?;
        anyhow::ensure!(!removing.is_finished(), "it does not wait for what runs");
        running.send(format!("{:x}\r\n{script}\r\n0\r\n\r\n", script.len()).as_bytes())?;
        removing.join().expect("no panic")?.good().map(drop)
    })?;
    host.client().get("/front/hello")?.expect(404)?;
    let head = running.head()?;
    let told: Value = serde_json::from_slice(&running.body(&head)?)?;
    assert_eq!((head.status, &told["failed"]), (200, &json!(0)), "{told}");
    assert_eq!(told["results"][1]["body"]["results"][0], "one", "it could call its sibling to the end: {told}");
    host.client().get("/f/hello")?.expect(200)?;
    one.deploy(&[])?.good()?;
    assert_eq!(get(&host, "late")?, "written");
    Ok(())
}

#[test]
fn its_events_wait_for_whoever_deploys_it_again() -> anyhow::Result<()> {
    let text = manifest("pair", "one", "") + TRIGGER;
    let app = App::of_text(&text)?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    // Its first attempt fails, and the second is due when the app is gone.
    let script = json!({ "script": [{ "do": "increment", "key": "handled", "by": 1 }], "then": "retry-first", "retry_ms": 2000 });
    events::publish(&host, "pair", "work.one", &script)?;
    wait::until("the first attempt", || Ok((host.metric("hull_events_total")?.unwrap_or(0.0) > 0.0).then_some(())))?;
    app.command(&["remove", "pair"])?.good()?;
    let refused = host.asked("POST", "/v1/apps/pair/events/work.two")?.body("{}").send()?;
    assert_eq!(refused.status(), 404, "nobody takes its events");
    host.kill()?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    wait::until("the second attempt", || Ok((get(&host, "handled")? == "1").then_some(())))
}

#[test]
fn a_purged_app_begins_anew() -> anyhow::Result<()> {
    let app = App::of_text(&(manifest("pair", "one", "publishes = [\"work.*\"]") + TRIGGER))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    set(&host, "yes")?;
    let script = json!({ "script": [{ "do": "increment", "key": "handled", "by": 1 }] });
    events::publish(&host, "pair", "work.one", &script)?;
    wait::until("it to be handled", || Ok((get(&host, "handled")? == "1").then_some(())))?;
    let made = app.command(&["tokens", "add", "ci", "--role", "deploy", "--json"])?.json()?;
    let token = format!("Bearer {}", made["token"].as_str().unwrap_or_default());
    let asked = |target: &str| -> anyhow::Result<u16> {
        Ok(host.admin().request("DELETE", target).header("authorization", &token).send()?.status())
    };
    assert_eq!(asked("/v1/apps/pair?purge=true")?, 403, "who may deploy may not destroy");
    assert_eq!(asked("/v1/apps/pair")?, 200);
    is_gone(&host)?;
    // What is removed already can still be purged.
    app.command(&["remove", "pair", "--purge"])?.good()?;
    assert!(!app.state_dir().join("apps/pair").exists() && !app.state_dir().join("revisions/apps/pair").exists());
    assert_eq!(std::fs::read_dir(app.state_dir().join("revisions/content"))?.count(), 0);
    let missing = app.command(&["remove", "pair"])?;
    assert!(missing.status == Some(1) && missing.said().contains("there is no app pair"), "{}", missing.said());
    let again = app.deploy(&["--json"])?.json()?;
    assert_eq!(again["revision"], 1);
    assert_eq!(get(&host, "kept")?, Value::Null);
    // The old events are gone with the stream: the new one begins with this.
    events::publish(&host, "pair", "work.two", &script)?;
    wait::until("it to be handled", || Ok((get(&host, "handled")? == "1").then_some(())))?;
    let seen = host.asked("GET", "/v1/apps/pair/events?subject=work.*&from=all")?.send()?.expect(200)?.text();
    assert!(seen.contains("work.two") && !seen.contains("work.one"), "{seen}");
    host.stop()?;
    Ok(())
}

/// A host that crashes at each step of a removal; how many steps there are.
fn crash_at_each_step(words: &[&str], check: impl Fn(&App, &Host, bool) -> anyhow::Result<()>) -> anyhow::Result<u64> {
    let app = App::of_text(&(manifest("pair", "one", "") + TRIGGER))?;
    let mut steps = Vec::new();
    for step in 1..=STEPS_MAX {
        let host = app.host()?;
        app.deploy(&[])?.good()?;
        set(&host, "yes")?;
        host.stop()?;
        let mut host = app.host_with(&["--crash-at", &step.to_string()])?;
        let removed = app.command(words)?;
        if removed.status == Some(0) {
            println!("{steps:?}");
            return Ok(step - 1);
        }
        steps.push(crashed(&mut host)?.unwrap_or_else(|| panic!("it did not crash: {}", removed.said())));
        drop(host);
        let host = app.host()?;
        // Committed is the first of all steps.
        anyhow::ensure!(steps.first().is_some_and(|step| step == "removal committed"), "{steps:?}");
        is_gone(&host)?;
        anyhow::ensure!(host.admin().get("/healthz/ready")?.status() == 200, "after {steps:?}");
        check(&app, &host, step == 1)?;
        host.stop()?;
    }
    anyhow::bail!("more than {STEPS_MAX} steps: {steps:?}")
}

#[test]
fn at_each_step_of_a_removal_it_is_removed_and_its_data_is_there() -> anyhow::Result<()> {
    let steps = crash_at_each_step(&["remove", "pair"], |app, host, _| {
        app.deploy(&[])?.good()?;
        serves(&host.client(), "one")?;
        anyhow::ensure!(get(host, "kept")? == "yes", "its data is gone");
        Ok(())
    })?;
    assert!(steps >= 4, "only {steps} steps");
    Ok(())
}

#[test]
fn at_each_step_of_a_purge_the_next_start_goes_on_with_it() -> anyhow::Result<()> {
    let steps = crash_at_each_step(&["remove", "pair", "--purge"], |app, host, _| {
        for left in ["apps/pair", "revisions/apps/pair", "flags/pair.json"] {
            anyhow::ensure!(!app.state_dir().join(left).exists(), "{left} is left");
        }
        let again = app.deploy(&["--json"])?.json()?;
        anyhow::ensure!(again["revision"] == 1, "{again}");
        anyhow::ensure!(get(host, "kept")? == Value::Null, "its data is there");
        Ok(())
    })?;
    assert!(steps >= 8, "only {steps} steps");
    Ok(())
}
