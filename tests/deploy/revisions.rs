//! Deploying, going back, looking back, and restarts.

use hull_tests::app::App;
use serde_json::Value;

use crate::parts::{app, manifest, marks, other_build, serves};

#[test]
fn what_was_deployed_last_serves_also_after_a_crash() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    assert_eq!(host.ready()["apps"], serde_json::json!([]));
    host.client().get("/front/hello")?.expect(404)?;
    let first = app.deploy(&["--message", "the first", "--json"])?.json()?;
    assert_eq!((&first["revision"], &first["app"]), (&1.into(), &"pair".into()));
    serves(&host.client(), "one")?;
    app.set_text(&manifest("pair", "two", ""))?;
    let told = app.deploy(&[])?.good()?;
    assert!(told.stdout.contains("pair revision 2"), "{}", told.said());
    serves(&host.client(), "two")?;
    host.kill()?;
    let host = app.host()?;
    assert_eq!(host.ready()["apps"][0]["revision"], 2);
    serves(&host.client(), "two")?;
    let history = app.command(&["history", "--json"])?.json()?;
    let revisions = history["revisions"].as_array().expect("a list");
    let one = |value: &Value| (value["revision"].as_u64(), value["message"].as_str().map(str::to_owned));
    assert_eq!(
        revisions.iter().map(one).collect::<Vec<_>>(),
        [(Some(2), Some(String::new())), (Some(1), Some("the first".to_owned()))]
    );
    assert_eq!(revisions[0]["by"], "admin-token");
    host.stop()?;
    Ok(())
}

#[test]
fn going_back_is_a_revision_of_its_own() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    for mark in ["one", "two", "three"] {
        app.set_text(&manifest("pair", mark, ""))?;
        app.deploy(&[])?.good()?;
    }
    let back = app.command(&["rollback", "--message", "three is broken", "--json"])?.json()?;
    assert_eq!((&back["revision"], &back["restores"]), (&4.into(), &2.into()));
    serves(&host.client(), "two")?;
    app.command(&["rollback", "1"])?.good()?;
    serves(&host.client(), "one")?;
    app.command(&["rollback", "3"])?.good()?;
    serves(&host.client(), "three")?;
    let missing = app.command(&["rollback", "9"])?;
    assert_eq!(missing.status, Some(1));
    assert!(missing.said().contains("no revision 9"), "{}", missing.said());
    host.kill()?;
    let host = app.host()?;
    serves(&host.client(), "three")?;
    let history = app.command(&["history"])?.good()?.stdout;
    assert!(history.contains("content of 2, version 1.0.0, three is broken"), "{history}");
    let diff = app.command(&["diff", "1", "2"])?.good()?.stdout;
    assert!(
        diff.contains("-variables = { mark = \"one\" }") && diff.contains("+variables = { mark = \"two\" }"),
        "{diff}"
    );
    assert!(app.command(&["diff", "2", "4"])?.good()?.stdout.contains("nothing differs"));
    drop(host);
    Ok(())
}

#[test]
fn one_component_can_be_replaced() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    let build = other_build(&app, "b")?;
    let never = app.command(&["deploy", "front", &build, "--app", "pair"])?;
    assert!(never.status == Some(1) && never.said().contains("never deployed"), "{}", never.said());
    let first = app.deploy(&["--json"])?.json()?;
    let second = app.command(&["deploy", "front", &build, "--json"])?.json()?;
    assert_ne!(first["components"]["front"], second["components"]["front"]);
    assert_eq!(first["components"]["back"], second["components"]["back"]);
    assert_eq!(first["manifest"], second["manifest"]);
    serves(&host.client(), "one")?;
    let nobody = app.command(&["deploy", "nobody", &build])?;
    assert!(nobody.status == Some(1) && nobody.said().contains("no component \"nobody\""), "{}", nobody.said());
    Ok(())
}

#[test]
fn whoever_expects_another_revision_is_refused() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&["--if-revision", "0"])?.good()?;
    app.set_text(&manifest("pair", "two", ""))?;
    let refused = app.deploy(&["--if-revision", "0"])?;
    assert!(refused.status == Some(1) && refused.said().contains("at revision 1, and not at 0"), "{}", refused.said());
    serves(&host.client(), "one")?;
    app.deploy(&["--if-revision", "1"])?.good()?;
    serves(&host.client(), "two")
}

#[test]
fn two_at_once_are_deployed_one_after_the_other() -> anyhow::Result<()> {
    let apps: Vec<App> = (0..4).map(|n| app(&format!("m{n}"))).collect::<anyhow::Result<_>>()?;
    let daemon = &apps[0];
    let host = daemon.host()?;
    std::thread::scope(|scope| {
        for one in &apps {
            scope.spawn(|| {
                let file = one.manifest().display().to_string();
                daemon.command(&["deploy", "-f", &file]).expect("it runs").good().expect("it is deployed");
            });
        }
    });
    let history = daemon.command(&["history", "--json"])?.json()?;
    assert_eq!(history["revisions"].as_array().map(Vec::len), Some(4));
    let (front, back) = marks(&host.client())?;
    assert_eq!(front, back);
    Ok(())
}

#[test]
fn a_deployment_that_fails_changes_nothing() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    app.write("no.wasm", "this is no component")?;
    for (broken, why) in [
        (manifest("pair", "two", "").replacen("{probe}", "no.wasm", 1), "front"),
        (manifest("pair", "two", "migrations = \"m\""), "syntax error"),
        (manifest("pair", "two", "reserve = { memory = \"900GiB\" }"), "reserve.memory"),
        (
            manifest("pair", "two", "").replace(
                "[component.back]",
                "[[trigger.http]]\nroute = \"/front/...\"\ncomponent = \"back\"\n[component.back]",
            ),
            "/front",
        ),
    ] {
        app.write("m/1_first.sql", "CREATE TABLE one (id INTEGER);")?;
        app.write("m/2_second.sql", "CREATE TABEL two (id INTEGER);")?;
        app.set_text(&broken)?;
        let refused = app.deploy(&[])?;
        assert_eq!(refused.status, Some(1), "{why}: {}", refused.said());
        assert!(refused.said().contains(why), "{why}: {}", refused.said());
        serves(&host.client(), "one")?;
    }
    assert_eq!(app.command(&["history", "--json"])?.json()?["revisions"].as_array().map(Vec::len), Some(1));
    let incoming = app.state_dir().join("revisions/incoming");
    hull_tests::wait::until("what was received to be gone", || {
        Ok((std::fs::read_dir(&incoming)?.count() == 0).then_some(()))
    })?;
    host.kill()?;
    serves(&app.host()?.client(), "one")
}

#[test]
fn a_revision_that_is_rolled_back_runs_on_a_database_that_is_ahead() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.write("m/1_first.sql", "CREATE TABLE notes (text TEXT);")?;
    app.set_text(&manifest("pair", "one", "migrations = \"m\""))?;
    app.deploy(&[])?.good()?;
    let insert = serde_json::json!([{"do": "execute", "sql": "INSERT INTO notes (text) VALUES ('a')"}]);
    hull_tests::probe::must(&host.client(), "/front/run", &insert)?;
    app.write("m/2_second.sql", "ALTER TABLE notes ADD COLUMN author TEXT DEFAULT 'nobody';")?;
    app.set_text(&manifest("pair", "two", "migrations = \"m\""))?;
    app.deploy(&[])?.good()?;
    app.command(&["rollback"])?.good()?;
    serves(&host.client(), "one")?;
    hull_tests::probe::must(&host.client(), "/front/run", &insert)?;
    let authors = hull_tests::probe::scalar(&host.client(), "/front/run", "SELECT count(author) FROM notes")?;
    assert_eq!(authors, 2, "the column is there, and what the older revision writes fits");
    Ok(())
}

#[test]
fn files_and_secrets_of_a_revision() -> anyhow::Result<()> {
    let app = app("one")?.variable("SPIN_VARIABLE_PLACE", "here").variable("SPIN_VARIABLE_KEY", "hidden");
    app.write("site/a.txt", "first")?;
    app.write("site/.secret", "no")?;
    let text = hull_tests::probe::application("pair")
        + "[variables]\nplace = { required = true }\nkey = { required = true, secret = true }\n"
        + &hull_tests::probe::component(
            "front",
            "files = [\"site/*\"]\nvariables = { place = \"{{ place }}\", key = \"{{ key }}\" }",
            "",
        );
    app.set_text(&text)?;
    let host = app.host()?;
    let told = app.deploy(&["--json"])?.good()?;
    assert!(told.stderr.contains("`key` is secret"), "{}", told.stderr);
    assert!(!told.said().contains("hidden"), "{}", told.said());
    let script = serde_json::json!([
        {"do": "read", "path": "/site/a.txt"}, {"do": "config", "key": "place"}, {"do": "config", "key": "key"}
    ]);
    let seen = |host: &hull_tests::host::Host| hull_tests::probe::must(&host.client(), "/front/run", &script);
    assert_eq!(seen(&host)?, ["first", "here", "hidden"]);
    app.write("site/a.txt", "second")?;
    app.deploy(&[])?.good()?;
    assert_eq!(seen(&host)?[0], "second");
    app.command(&["rollback"])?.good()?;
    assert_eq!(seen(&host)?[0], "first");
    host.stop()?;
    // The author's files do not matter any more.
    std::fs::remove_dir_all(app.folder().join("site"))?;
    let host = app.host()?;
    assert_eq!(seen(&host)?, ["first", "here", "hidden"]);
    let mut kept = Vec::new();
    texts(&app.state_dir().join("revisions"), &mut kept)?;
    assert!(!kept.is_empty() && kept.iter().all(|text| !text.contains("hidden")), "a secret was kept on disk");
    Ok(())
}

fn texts(folder: &std::path::Path, into: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            texts(&path, into)?;
        } else {
            into.push(String::from_utf8_lossy(&std::fs::read(&path)?).into_owned());
        }
    }
    Ok(())
}

#[test]
fn an_app_that_cannot_come_back_keeps_no_other_from_it_and_is_mended_by_a_deployment() -> anyhow::Result<()> {
    let (one, other) =
        (app("one")?, App::of_text(&manifest("other", "x", "").replace("/front/", "/f/").replace("/back/", "/b/"))?);
    let host = one.host()?;
    one.deploy(&[])?.good()?;
    let file = other.manifest().display().to_string();
    one.command(&["deploy", "-f", &file])?.good()?;
    host.stop()?;
    let current = one.state_dir().join("revisions/apps/other/current");
    std::fs::write(&current, "{\"revision\":1")?;
    let host = one.host()?;
    serves(&host.client(), "one")?;
    host.client().get("/f/hello")?.expect(404)?;
    let ready = host.admin().get("/healthz/ready")?;
    assert_eq!(ready.status(), 503);
    assert!(ready.text().contains("app other") && ready.text().contains("damaged"), "{}", ready.text());
    drop(host);
    std::fs::write(&current, "")?;
    std::fs::remove_file(&current)?;
    let host = one.host()?;
    one.command(&["deploy", "-f", &file])?.good()?;
    host.client().get("/f/hello")?.expect(200)?;
    assert_eq!(host.admin().get("/healthz/ready")?.status(), 200);
    Ok(())
}
