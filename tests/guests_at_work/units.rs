//! Units of work that an HTTP handler opens: all or nothing, and no waiting for oneself.

use hull_tests::probe;
use serde_json::{Value, json};

use crate::work;

fn set(key: &str, value: &str) -> Value {
    json!({"do": "set", "key": key, "value": value})
}

fn get(key: &str) -> Value {
    json!({"do": "get", "key": key})
}

#[test]
fn what_is_not_committed_did_not_happen() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let run = |script: &Value| probe::must(&client, "/plain/run", script);
    let value = || probe::one(&client, "/plain/run", &get("unit"));
    run(&json!([{"do": "begin"}, set("unit", "a"), get("unit"), {"do": "rollback"}]))?;
    assert_eq!(value()?, Value::Null);
    run(&json!([{"do": "begin"}, set("unit", "b"), {"do": "forget"}]))?;
    assert_eq!(value()?, Value::Null);
    run(&json!([{"do": "begin"}, set("unit", "c")]))?;
    assert_eq!(value()?, Value::Null, "the handler returned without a commit");
    client.post("/plain/run", &json!([{"do": "begin"}, set("unit", "d"), {"do": "trap"}]))?.expect(500)?;
    assert_eq!(value()?, Value::Null);
    let read_inside = run(&json!([{"do": "begin"}, set("unit", "e"), get("unit"), {"do": "commit"}]))?;
    assert_eq!((&read_inside[2], value()?), (&json!("e"), json!("e")));
    Ok(())
}

#[test]
fn sql_and_key_value_share_one_unit() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let run = |script: &Value| probe::must(&client, "/other/run", script);
    let insert = json!({"do": "execute", "sql": "INSERT INTO both_kinds (text) VALUES ($1)", "params": ["x"]});
    let rows = || probe::scalar(&client, "/other/run", "SELECT count(*) FROM both_kinds");
    run(&json!([{"do": "begin"}, set("both", "1"), insert, {"do": "rollback"}]))?;
    assert_eq!((rows()?, probe::one(&client, "/other/run", &get("both"))?), (json!(0), Value::Null));
    run(&json!([{"do": "begin"}, set("both", "1"), insert, {"do": "commit"}]))?;
    assert_eq!((rows()?, probe::one(&client, "/other/run", &get("both"))?), (json!(1), json!("1")));
    Ok(())
}

#[test]
fn a_second_unit_is_refused_while_one_is_open() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let results = probe::run(&client, "/plain/run", &json!([{"do": "begin"}, {"do": "begin"}, {"do": "commit"}]))?;
    assert_eq!(results[1]["error"], "already-open", "{results:?}");
    Ok(())
}

#[test]
fn a_unit_that_holds_the_writer_too_long_is_ended() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let script =
        json!([{"do": "begin"}, set("held", "x"), {"do": "sleep", "ms": 1_800}, set("held", "y"), {"do": "commit"}]);
    let results = probe::run(&client, "/brief/run", &script)?;
    assert!(results[3]["error"].is_string() || results[4]["error"] == "expired", "{results:?}");
    assert_eq!(results[4]["error"], "expired", "{results:?}");
    assert_eq!(probe::one(&client, "/brief/run", &get("held"))?, Value::Null);
    Ok(())
}

#[test]
fn coming_back_into_an_open_unit_fails_at_once() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    // patient opens a unit and calls other, which calls patient back, which writes.
    let inner = json!([set("deadlock", "inner"), get("deadlock")]);
    let back = json!({"do": "call", "url": "http://patient.internal/run", "script": inner});
    let over = json!({"do": "call", "url": "http://other.internal/run", "script": [back]});
    let script = json!([{"do": "begin"}, set("deadlock", "outer"), over, {"do": "commit"}]);
    let begun = hull_clock::now();
    let results = probe::run(&client, "/patient/run", &script)?;
    let inner = results[2].pointer("/body/results/0/body/results").cloned().unwrap_or_default();
    let detail = format!("{} {}", inner[0], inner[1]);
    assert!(detail.contains("open further up"), "{results:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "it waited {:?}", begun.elapsed());
    assert_eq!(probe::one(&client, "/patient/run", &get("deadlock"))?, "outer", "the outer unit is not harmed");
    Ok(())
}

#[test]
fn the_hosts_own_tables_are_out_of_reach() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    for sql in [
        "SELECT * FROM hull_outbox",
        "DELETE FROM hull_handled",
        "CREATE TABLE hull_mine (a)",
        "BEGIN",
        "COMMIT",
        "ATTACH 'other.db' AS other",
        "PRAGMA journal_mode = OFF",
        "VACUUM INTO 'copy.db'",
    ] {
        let result = probe::one(&client, "/plain/run", &json!({"do": "execute", "sql": sql}))?;
        let error = result["error"].as_str().unwrap_or_default();
        assert!(matches!(error, "denied" | "invalid"), "{sql}: {result}");
    }
    Ok(())
}
