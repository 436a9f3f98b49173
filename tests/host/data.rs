//! What survives: everything that was answered, whether the host was stopped or killed.

use hull_tests::app::App;
use hull_tests::probe;
use serde_json::{Value, json};

use crate::manifest;

#[test]
fn what_was_written_is_there_after_a_kill() -> anyhow::Result<()> {
    let app = App::of_text(&manifest("migrations = \"migrations\""))?;
    app.write("migrations/1_t.sql", "CREATE TABLE t (n INTEGER PRIMARY KEY);")?;
    let mut host = app.up()?;
    for round in 0..3_i64 {
        for n in 0..20_i64 {
            let n = round * 20 + n;
            let insert = json!({"do": "execute", "sql": "INSERT INTO t VALUES ($1)", "params": [n]});
            let set = json!({"do": "set", "key": format!("key-{n}"), "value": n.to_string()});
            probe::must(&host.client(), "/probe/run", &json!([{"do": "begin"}, insert, set, {"do": "commit"}]))?;
        }
        host.kill()?;
        host = app.up()?;
        let count = probe::scalar(&host.client(), "/probe/run", "SELECT count(*) FROM t")?;
        assert_eq!(count, json!((round + 1) * 20));
        let keys = probe::one(&host.client(), "/probe/run", &json!({"do": "keys"}))?;
        assert_eq!(keys.as_array().map(Vec::len), usize::try_from((round + 1) * 20).ok());
    }
    Ok(())
}

#[test]
fn components_have_storage_of_their_own() -> anyhow::Result<()> {
    let granted = "key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]";
    let one = probe::component("one", granted, "migrations = \"migrations\"");
    let app = App::of_text(&(probe::application("two") + &one + &probe::component("two", granted, "")))?;
    app.write("migrations/1_mine.sql", "CREATE TABLE mine (n INTEGER);")?;
    let host = app.up()?;
    let client = host.client();
    let set = json!({"do": "set", "key": "k", "value": "of one"});
    let insert = json!({"do": "execute", "sql": "INSERT INTO mine VALUES (1)"});
    probe::must(&client, "/one/run", &json!([set, insert]))?;
    assert_eq!(probe::one(&client, "/two/run", &json!({"do": "get", "key": "k"}))?, Value::Null);
    let other = probe::one(&client, "/two/run", &json!({"do": "query", "sql": "SELECT * FROM mine"}))?;
    assert_eq!(other["error"], "invalid", "{other}");
    Ok(())
}

#[test]
fn a_damaged_database_harms_only_its_component() -> anyhow::Result<()> {
    let granted = "key_value_stores = [\"default\"]";
    let text =
        probe::application("two") + &probe::component("one", granted, "") + &probe::component("two", granted, "");
    let app = App::of_text(&text)?;
    let set = json!([{"do": "set", "key": "k", "value": "v"}]);
    let host = app.up()?;
    for component in ["one", "two"] {
        probe::must(&host.client(), &format!("/{component}/run"), &set)?;
    }
    host.stop()?;
    let path = app.database("two", "one");
    let garbage = vec![b'!'; 8192];
    std::fs::write(&path, &garbage)?;
    // Without migrations to run it may be found at the start or at the first use; it is never overwritten.
    match app.up() {
        Err(error) => assert!(format!("{error:#}").contains("data.db"), "{error:#}"),
        Ok(host) => {
            let told = probe::one(&host.client(), "/one/run", &json!({"do": "get", "key": "k"}))?;
            assert!(told["error"].is_string(), "{told}");
            assert_eq!(probe::one(&host.client(), "/two/run", &json!({"do": "get", "key": "k"}))?, "v");
            host.stop()?;
        }
    }
    assert_eq!(std::fs::read(&path)?, garbage);
    Ok(())
}

#[test]
fn a_link_out_of_a_mounted_folder_leads_nowhere() -> anyhow::Result<()> {
    let mounted = "files = [{ source = \"mounted\", destination = \"/mounted\" }]";
    let app = App::of_text(&(probe::application("links") + &probe::component("probe", mounted, "")))?;
    app.write("secret.txt", "secret")?;
    app.write("mounted/plain.txt", "plain")?;
    std::os::unix::fs::symlink("/etc/passwd", app.folder().join("mounted/passwd"))?;
    std::os::unix::fs::symlink("../secret.txt", app.folder().join("mounted/secret"))?;
    let host = match app.up() {
        Ok(host) => host,
        // Refusing the mount altogether is an answer as well.
        Err(error) => {
            assert!(format!("{error:#}").contains("mounted"), "{error:#}");
            return Ok(());
        }
    };
    let read = |path: &str| probe::one(&host.client(), "/probe/run", &json!({"do": "read", "path": path}));
    assert_eq!(read("/mounted/plain.txt")?, "plain");
    for path in ["/mounted/passwd", "/mounted/secret", "/mounted/../secret.txt"] {
        assert_eq!(read(path)?["error"], "io", "{path}");
    }
    Ok(())
}

#[test]
fn storage_is_bounded_and_says_so() -> anyhow::Result<()> {
    let app =
        App::of_text(&manifest("[component.probe.tool.hull.limits]\nstorage = \"1MiB\"\nvalue-max = \"256KiB\""))?;
    let host = app.up()?;
    let client = host.client();
    let fill =
        |key: &str, bytes: usize| probe::one(&client, "/probe/run", &json!({"do": "fill", "key": key, "bytes": bytes}));
    let large = fill("large", 300 * 1024)?;
    assert!(large["detail"].as_str().unwrap_or_default().contains("value-max"), "{large}");
    let mut tries = (0..12).map(|n| fill(&format!("k{n}"), 200 * 1024));
    let refused = tries.find(|told| !told.as_ref().is_ok_and(Value::is_null)).expect("it never was full")?;
    assert!(refused["detail"].as_str().unwrap_or_default().contains("limits.storage"), "{refused}");
    // What is there can be read and deleted, and then there is room again.
    probe::must(
        &client,
        "/probe/run",
        &json!([{"do": "exists", "key": "k0"}, {"do": "delete", "key": "k0"}, {"do": "delete", "key": "k1"}]),
    )?;
    assert_eq!(fill("again", 100 * 1024)?, Value::Null);
    Ok(())
}
