//! The commands that look at a running host and try things on it.

use std::process::Command;

use hull_tests::app::run;
use hull_tests::output::Output;
use hull_tests::{files, mail, wait};
use serde_json::{Value, json};

use crate::app;

#[test]
fn a_component_is_invoked_past_the_routes() -> anyhow::Result<()> {
    let app = app()?;
    let _host = app.up()?;
    let ended = app.command(&["invoke", "probe", "GET", "/not/routed/hello"])?;
    assert_eq!(ended.status, Some(0), "{}", ended.said());
    assert_eq!(ended.stdout.trim_end(), "Hello from the probe.");
    let ended = app.command(&["invoke", "probe", "POST", "/run", "--data", "[{\"do\":\"count\"}]"])?;
    assert!(ended.stdout.contains("\"results\":[1]"), "{}", ended.said());
    let ended = app.command(&["invoke", "probe", "GET", "/nothing/here"])?;
    assert_eq!(ended.status, Some(1), "an answer of 404 is a failure: {}", ended.said());
    let ended = app.command(&["invoke", "probe", "GET", "/hello", "--include"])?;
    assert!(ended.said().contains("200") && ended.said().contains("content-type"), "{}", ended.said());
    let ended = app.command(&["invoke", "nobody", "GET", "/"])?;
    crate::failed(&ended, &["nobody"]);
    Ok(())
}

#[test]
fn status_and_logs_tell_what_goes_on() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let request = host.client().request("POST", "/probe/run").header("x-correlation-id", "basket-5");
    request
        .header("x-request-id", "request-5")
        .json(&json!([{"do": "log", "message": "words of the guest"}]))
        .send()?
        .expect(200)?;
    let status = app.command(&["status"])?;
    assert_eq!(status.status, Some(0), "{}", status.said());
    assert!(status.stdout.contains("probe"), "{}", status.said());
    let status: Value = serde_json::from_str(&app.command(&["status", "--json"])?.stdout)?;
    assert!(status.to_string().contains("\"component\":\"probe\""), "{status}");

    let logs = app.command(&["logs", "probe"])?;
    assert!(logs.stdout.contains("words of the guest"), "{}", logs.said());
    let logs = app.command(&["logs", "probe", "--json"])?;
    let line = logs.stdout.lines().find(|line| line.contains("words of the guest")).unwrap_or_default();
    let record: Value = serde_json::from_str(line)?;
    let expected = json!({"level": "info", "app": "small", "component": "probe", "request_id": "request-5",
        "correlation_id": "basket-5", "trace_id": "*", "timestamp": "*", "message": "probe: words of the guest"});
    assert_eq!(hull_tests::subset::difference(&expected, &record), None, "{record}");
    crate::failed(&app.command(&["logs", "nobody"])?, &["nobody"]);
    Ok(())
}

#[test]
fn logs_are_followed_as_they_come() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let say = |words: &str| {
        hull_tests::probe::must(&host.client(), "/probe/run", &json!([{"do": "print", "message": words}]))
    };
    say("before")?;
    let mut command = Command::new(files::hull()?);
    command.args(["logs", "--follow", "probe", "--state-dir"]).arg(app.state_dir());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn()?;
    let stdout = Output::of(child.stdout.take().expect("piped"));
    let heard = |words: &str| wait::until(words, || Ok(stdout.find(|line| line.contains(words).then_some(()))));
    let all = heard("before").and_then(|()| say("afterwards")).and_then(|_| heard("afterwards"));
    child.kill()?;
    child.wait()?;
    all
}

#[test]
fn events_are_published_by_hand() -> anyhow::Result<()> {
    let app = mail::app(&[mail::handler("worker", "subjects = [\"work.*\"]", "")])?;
    let host = app.up()?;
    app.write("event.json", &mail::seen_and_ok().to_string())?;
    let file = app.folder().join("event.json").display().to_string();
    for _ in 0..2 {
        let ended = app.command(&["publish", "work.by-hand", &file, "--id", "hand-1"])?;
        assert_eq!(ended.status, Some(0), "{}", ended.said());
    }
    let seen = mail::until_seen(&host.client(), "worker", "work.by-hand", 1)?;
    assert_eq!(seen[0].id, "hand-1");
    crate::failed(&app.command(&["publish", "work.by-hand", "no-such-file"])?, &["no-such-file"]);
    wait::until("its events to be counted", || host.metric("hull_events_total{"))?;
    Ok(())
}

#[test]
fn without_a_host_commands_say_so() -> anyhow::Result<()> {
    let app = app()?;
    for words in [vec!["status"], vec!["logs"], vec!["invoke", "probe", "GET", "/"], vec!["dead-letters", "list"]] {
        crate::failed(&app.command(&words)?, &["hull up"]);
    }
    // What a host that was killed has left does not pass for a running one.
    app.up()?.kill()?;
    crate::failed(&app.command(&["status"])?, &[]);
    Ok(())
}

#[test]
fn check_shows_every_default() -> anyhow::Result<()> {
    let app = app()?;
    app.set_text(
        &crate::manifest("publishes = [\"work.*\"]")
            .replace("{probe}\"", "{probe}\"\nallowed_outbound_hosts = [\"http://*.internal\"]"),
    )?;
    let ended = app.check()?;
    assert_eq!(ended.status, Some(0), "{}", ended.said());
    for part in ["memory = \"64MiB\"", "cpu-per-invocation = \"200ms\"", "reuse = \"never\"", "key_value_stores"] {
        assert!(ended.stdout.contains(part), "no {part}:\n{}", ended.stdout);
    }
    let mut shop = Command::new(files::hull()?);
    shop.args(["check", "--json", "-f"]).arg(files::project().join("spin.toml"));
    let ended = run(shop)?;
    assert_eq!(ended.status, Some(0), "{}", ended.said());
    serde_json::from_str::<Value>(&ended.stdout)?;
    Ok(())
}

#[test]
fn every_template_is_a_valid_app() -> anyhow::Result<()> {
    let app = app()?;
    for template in ["http", "messaging", "full"] {
        let mut command = Command::new(files::hull()?);
        command.args(["new", template, &format!("my-{template}")]).current_dir(app.folder());
        let ended = run(command)?;
        assert_eq!(ended.status, Some(0), "{}", ended.said());
        let folder = app.folder().join(format!("my-{template}"));
        assert!(folder.join("spin.toml").is_file() && folder.join("Cargo.toml").is_file(), "{}", ended.said());
        let mut again = Command::new(files::hull()?);
        again.args(["new", template, &format!("my-{template}")]).current_dir(app.folder());
        crate::failed(&run(again)?, &[&format!("my-{template}")]);
    }
    Ok(())
}
