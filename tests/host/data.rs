//! What survives: everything that was answered, whether the host was stopped or killed.

use hull_tests::app::App;
use hull_tests::probe;
use serde_json::{Value, json};

use crate::{app, manifest};

#[test]
fn what_was_written_is_there_after_a_kill() -> anyhow::Result<()> {
    let app = app()?;
    let mut host = app.up()?;
    let table = json!([{"do": "execute", "sql": "CREATE TABLE t (n INTEGER PRIMARY KEY)"}]);
    probe::must(&host.client(), "/probe/run", &table)?;
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
    let text = probe::application("two") + &probe::component("one", granted, "") + &probe::component("two", granted, "");
    let host_app = App::of_text(&text)?;
    let host = host_app.up()?;
    let client = host.client();
    let set = json!({"do": "set", "key": "k", "value": "of one"});
    let table = json!({"do": "execute", "sql": "CREATE TABLE mine (n INTEGER)"});
    probe::must(&client, "/one/run", &json!([set, table]))?;
    assert_eq!(probe::one(&client, "/two/run", &json!({"do": "get", "key": "k"}))?, Value::Null);
    let other = probe::one(&client, "/two/run", &json!({"do": "query", "sql": "SELECT * FROM mine"}))?;
    assert_eq!(other["error"], "invalid", "{other}");
    Ok(())
}

#[test]
fn storage_is_bounded_and_says_so() -> anyhow::Result<()> {
    let app = App::of_text(&manifest("[component.probe.tool.hull.limits]\nstorage = \"1MiB\"\nvalue-max = \"256KiB\""))?;
    let host = app.up()?;
    let client = host.client();
    let fill = |key: &str, bytes: usize| {
        probe::one(&client, "/probe/run", &json!({"do": "fill", "key": key, "bytes": bytes}))
    };
    let large = fill("large", 300 * 1024)?;
    assert!(large["detail"].as_str().unwrap_or_default().contains("value-max"), "{large}");
    let mut full = None;
    for n in 0..12 {
        let told = fill(&format!("k{n}"), 200 * 1024)?;
        if told["error"].is_string() {
            full = Some(told);
            break;
        }
    }
    let full = full.expect("it never was full");
    assert!(full["detail"].as_str().unwrap_or_default().contains("limits.storage"), "{full}");
    // What is there can be read and deleted, and then there is room again.
    probe::must(&client, "/probe/run", &json!([{"do": "exists", "key": "k0"}, {"do": "delete", "key": "k0"}, {"do": "delete", "key": "k1"}]))?;
    assert_eq!(fill("again", 100 * 1024)?, Value::Null);
    Ok(())
}
