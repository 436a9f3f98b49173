//! The audit log: what was changed and who was denied, and that nobody can change what it says.

use std::fs;

use hull_tests::app::App;

use crate::parts::{app, manifest, serves};

/// Whether the log is in order, as the running host says and as its files say; they must agree.
fn verified(app: &App, running: bool) -> anyhow::Result<Result<u64, String>> {
    let folder = app.state_dir().join("audit").display().to_string();
    let by_files = app.command(&["audit", "verify", "--json", "--folder", &folder])?;
    let outcome = |ended: &hull_tests::app::Ended| -> anyhow::Result<Result<u64, String>> {
        let report: serde_json::Value = serde_json::from_str(&ended.stdout)?;
        anyhow::ensure!(report["flaw"].is_null() == (ended.status == Some(0)), "{}", ended.said());
        let entries = report["entries"].as_u64().unwrap_or_default();
        Ok(if report["flaw"].is_null() { Ok(entries) } else { Err(ended.stderr.clone()) })
    };
    let found = outcome(&by_files)?;
    if running {
        assert_eq!(outcome(&app.command(&["audit", "verify", "--json"])?)?.is_ok(), found.is_ok());
    }
    Ok(found)
}

#[test]
fn changes_are_written_down_and_edits_are_found() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&["--message", "the first"])?.good()?;
    app.write("no.wasm", "this is no component")?;
    app.set_text(&manifest("pair", "two", "").replacen("{probe}", "no.wasm", 1))?;
    assert_eq!(app.deploy(&[])?.status, Some(1));
    assert_eq!(app.command(&["rollback", "1", "--message", "again"])?.good()?.status, Some(0));
    let told = app.command(&["audit"])?.good()?.stdout;
    for part in [
        "deploy pair: begun  the first",
        "deploy pair: done  revision 1",
        "deploy pair: failed",
        "rollback pair: done  revision 2",
    ] {
        assert!(told.contains(part), "nothing of {part:?} in\n{told}");
    }
    assert!(told.contains("admin-token (127.0.0.1:"), "{told}");
    assert_eq!(verified(&app, true)?, Ok(7));
    let log = app.state_dir().join("audit/log");
    let whole = fs::read_to_string(&log)?;
    let lines: Vec<&str> = whole.lines().collect();
    let edits = [
        whole.replacen("the first", "the worst", 1),
        lines[..lines.len() - 1].join("\n") + "\n",
        [&lines[..2], &lines[3..]].concat().join("\n") + "\n",
        String::new(),
    ];
    for edited in &edits {
        fs::write(&log, edited)?;
        assert!(verified(&app, true)?.is_err(), "{edited}");
    }
    fs::write(&log, &whole)?;
    assert_eq!(verified(&app, true)?, Ok(7));
    host.kill()?;
    // A restart heals nothing.
    fs::write(&log, &edits[1])?;
    let host = app.host()?;
    assert!(verified(&app, true)?.is_err());
    serves(&host.client(), "one")
}

#[test]
fn denied_attempts_are_written_down_and_cannot_fill_the_disk() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    for _ in 0..200 {
        let attempt = host.admin().request("POST", "/v1/apps/pair/revisions").header("authorization", "Bearer wrong");
        assert_eq!(attempt.body("x").send()?.status(), 401);
    }
    let told = app.command(&["audit", "-n", "100"])?.good()?.stdout;
    let denied = told.lines().filter(|line| line.contains("denied  POST /v1/apps/pair/revisions")).count();
    assert!((20..=22).contains(&denied), "{denied} entries:\n{told}");
    assert!(!told.contains("wrong"), "a token is in the log");
    assert!(verified(&app, true)?.is_ok());
    Ok(())
}

#[test]
fn what_a_crash_cuts_off_is_mended() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    host.kill()?;
    let log = app.state_dir().join("audit/log");
    let text = fs::read_to_string(&log)?;
    fs::write(&log, text.clone() + &text[..40])?;
    let host = app.host()?;
    assert!(app.command(&["audit"])?.good()?.stdout.contains("audit-mended"));
    assert_eq!(verified(&app, true)?, Ok(4));
    serves(&host.client(), "one")
}

#[test]
fn a_token_without_the_right_is_refused_and_written_down() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let made = |name: &str, role: &str| -> anyhow::Result<String> {
        let made = app.command(&["tokens", "add", name, "--role", role, "--json"])?.json()?;
        Ok(made["token"].as_str().unwrap_or_default().to_owned())
    };
    let (reader, deployer) = (made("reader", "read")?, made("ci", "deploy")?);
    let asked = |token: &str, method: &str, target: &str| -> anyhow::Result<u16> {
        let request = host.admin().request(method, target).header("authorization", &format!("Bearer {token}"));
        Ok(request.send()?.status())
    };
    for (token, method, target, status) in [
        (&reader, "GET", "/v1/apps", 200),
        (&reader, "POST", "/v1/apps/pair/revisions", 403),
        (&reader, "POST", "/v1/apps/pair/rollback?revision=1", 403),
        (&reader, "GET", "/v1/tokens", 403),
        (&deployer, "POST", "/v1/apps/pair/rollback?revision=1", 201),
        (&deployer, "POST", "/v1/tokens/more?role=admin", 403),
        (&deployer, "POST", "/v1/%74okens/more?role=admin", 403),
    ] {
        assert_eq!(asked(token, method, target)?, status, "{method} {target}");
    }
    assert_eq!(app.command(&["history", "--json"])?.json()?["revisions"][0]["by"], "ci");
    let told = app.command(&["audit"])?.good()?.stdout;
    assert!(told.contains("reader (127.0.0.1:") && told.contains("denied  POST /v1/apps/pair/revisions"), "{told}");
    assert!(!told.contains(&reader) && !told.contains(&deployer), "a token is in the log");
    drop(host);
    let host = app.host()?;
    let again = host.admin().request("GET", "/v1/apps").header("authorization", &format!("Bearer {reader}"));
    assert_eq!(again.send()?.status(), 200, "tokens are there after a restart");
    app.command(&["tokens", "remove", "reader"])?.good()?;
    assert_eq!(again.send()?.status(), 401);
    Ok(())
}
