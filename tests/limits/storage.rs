//! What a component keeps: a full database refuses what is written and goes on, and whatever the host needs to finish
//! what was accepted has room of its own.

use std::time::Duration;

use anyhow::Context as _;
use hull_tests::http::Client;
use hull_tests::{events, probe, wait};
use serde_json::{Value, json};

use crate::told::{Counted, bound};
use crate::{APP, limited, limits};

const STORES: &str = "key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]";
const MIB: f64 = 1_048_576.0;
/// A recursion that has no end of its own.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

pub(crate) fn manifest() -> String {
    let trigger = |name: &str| format!("[[trigger.messaging]]\ncomponent = \"{name}\"\nsubjects = [\"{name}.*\"]\n");
    [
        limited("pairs", STORES, "", "storage = \"1MiB\"\nvalue-max = \"64KiB\""),
        limited("rows", STORES, "", "storage = \"1MiB\"\nvalue-max = \"64KiB\""),
        limited("values", STORES, "", "value-max = \"4KiB\""),
        limited("statements", STORES, "", "statement = { rows-max = 100 }"),
        limited("writing", STORES, "", "statement.time = \"1200ms\"\ntransaction-time = \"10s\"\ntime = \"30s\""),
        limited("units", STORES, "", "transaction-time = \"1200ms\"\ntime = \"30s\""),
        trigger("full"),
        limited("full", STORES, "publishes = [\"after.*\"]", "storage = \"1MiB\"\nvalue-max = \"64KiB\""),
        limited("outbox", STORES, "publishes = [\"after.*\"]", "storage = \"1MiB\""),
        trigger("after"),
        probe::component("after", STORES, ""),
    ]
    .concat()
}

fn step(client: &Client, component: &str, step: &Value) -> anyhow::Result<Value> {
    probe::one(client, &format!("/{component}/run"), step)
}

fn must(client: &Client, component: &str, script: &Value) -> anyhow::Result<Vec<Value>> {
    probe::must(client, &format!("/{component}/run"), script)
}

fn fill(client: &Client, component: &str, number: usize) -> anyhow::Result<Value> {
    step(client, component, &json!({"do": "fill", "key": format!("k{number}"), "bytes": 60 << 10}))
}

/// Write until it is refused; what the refusal says, and how often it worked.
fn fill_up(client: &Client, component: &str) -> anyhow::Result<(Value, usize)> {
    for number in 0..40 {
        let told = fill(client, component, number)?;
        if !told.is_null() {
            return Ok((told, number));
        }
    }
    anyhow::bail!("{component} was never full")
}

#[test]
fn a_full_store_refuses_the_write_and_goes_on() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "pairs")?;
    let (told, fitted) = fill_up(&client, "pairs")?;
    let detail = told["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("limits.storage") && detail.contains("pairs"), "{told}");
    counted.rose(&[("storage", 1)])?;
    let used = bound(&running, "pairs", "storage", MIB)?.unwrap_or_default();
    assert!((0.5 * MIB..=MIB).contains(&used), "{used} of 1 MiB are used after {fitted} values");
    assert!(!fill(&client, "pairs", 99)?.is_null(), "it stays full");
    counted.rose(&[("storage", 1)])?;
    // What is there can be read, changed where that takes no room, and deleted; then there is room again.
    let small = json!([{"do": "exists", "key": "k0"}, {"do": "delete", "key": "k0"}, {"do": "delete", "key": "k1"}]);
    assert_eq!(must(&client, "pairs", &small)?[0], true);
    assert_eq!(fill(&client, "pairs", 99)?, Value::Null);
    counted.rose(&[])
}

#[test]
fn a_full_database_refuses_the_write_and_goes_on() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "rows")?;
    must(&client, "rows", &json!([{"do": "execute", "sql": "CREATE TABLE texts (n INTEGER, text TEXT)"}]))?;
    let insert = |count: u32| {
        let sql = format!("{ENDLESS} INSERT INTO texts SELECT i, hex(zeroblob(15000)) FROM n LIMIT {count}");
        step(&client, "rows", &json!({"do": "execute", "sql": sql}))
    };
    assert_eq!(insert(15)?, 15, "450 of 768 KiB fit");
    counted.rose(&[])?;
    let refused = insert(40)?;
    assert_eq!(refused["error"], "quota-exceeded", "{refused}");
    counted.rose(&[("storage", 1)])?;
    // Nothing of the statement stays, and the database is well.
    assert_eq!(probe::scalar(&client, "/rows/run", "SELECT count(*) FROM texts")?, 15);
    assert_eq!(insert(5)?, 5);
    must(&client, "rows", &json!([{"do": "execute", "sql": "DELETE FROM texts WHERE n <= 10"}]))?;
    assert_eq!(insert(10)?, 10);
    counted.rose(&[])
}

/// Marks and outbox have room of their own: an event that was accepted comes to its end, and what its handler
/// publishes goes out, though the component cannot store a byte.
#[test]
fn a_full_component_finishes_what_it_accepted() -> anyhow::Result<()> {
    let running = limits()?;
    let (host, client) = (running.host(), running.client());
    fill_up(&client, "full")?;
    let mut counted = Counted::of(&running, "full")?;
    let after = json!({"script": [{"do": "increment", "key": "arrived", "by": 1}]});
    let publish = json!({"do": "publish", "subject": "after.full", "payload": after});
    let payload = json!({"script": [{"do": "fill", "key": "more", "bytes": 60 << 10}, publish]});
    for number in 0..20 {
        events::publish_as(host, APP, "full.work", &format!("full-{number}"), &payload)?;
    }
    let arrived = || step(&client, "after", &json!({"do": "get", "key": "arrived"}));
    wait::until("what it published to arrive", || Ok((arrived()? == "20").then_some(())))?;
    // The write inside each was refused, and nothing else: each was handled once.
    counted.rose(&[("storage", 20)])?;
    assert_eq!(events::dead_letters(host, APP, "full")?, Vec::<Value>::new());
    let handled = "hull_events_total{app=\"limits\",component=\"full\",outcome=\"handled\"}";
    wait::until("all of them to be counted", || Ok((host.metric(handled)? >= Some(20.0)).then_some(())))?;
    assert_eq!(host.metric(handled)?, Some(20.0));
    assert_eq!(arrived()?, "20");
    Ok(())
}

/// What waits to be published is kept like everything else: the quota bounds it too.
#[test]
fn the_outbox_is_within_the_quota() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "outbox")?;
    let payload = "x".repeat(64 << 10);
    let tomorrow = hull_clock::unix_ms() + 24 * 60 * 60 * 1000;
    let later = json!({"do": "publish", "subject": "after.a-day", "payload": payload, "deliver_at": tomorrow});
    for _ in 0..2 {
        must(&client, "outbox", &json!([later]))?;
    }
    counted.rose(&[])?;
    let mut tries = (0..30).map(|_| step(&client, "outbox", &later));
    let refused = tries.find(|told| !told.as_ref().is_ok_and(|told| told["error"].is_null()));
    let used = bound(&running, "outbox", "storage", MIB)?.unwrap_or_default();
    let refused = refused.with_context(|| format!("2 MiB wait in it, and {used} bytes of 1 MiB are used"))??;
    assert!(refused["detail"].as_str().unwrap_or_default().contains("limits.storage"), "{refused}");
    assert!(used <= MIB, "{used} bytes of 1 MiB are used");
    counted.rose(&[("storage", 1)])
}

#[test]
fn one_value() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "values")?;
    let set = |bytes: usize| step(&client, "values", &json!({"do": "fill", "key": "k", "bytes": bytes}));
    assert_eq!(set(4096)?, Value::Null);
    counted.rose(&[])?;
    let told = set(4097)?;
    assert!(told["detail"].as_str().unwrap_or_default().contains("limits.value-max"), "{told}");
    counted.rose(&[("value", 1)])?;

    must(&client, "values", &json!([{"do": "execute", "sql": "CREATE TABLE texts (text TEXT)"}]))?;
    let insert = |bytes: usize| {
        let sql = "INSERT INTO texts VALUES ($1)";
        step(&client, "values", &json!({"do": "execute", "sql": sql, "params": ["x".repeat(bytes)]}))
    };
    assert_eq!(insert(4096)?, 1);
    counted.rose(&[])?;
    let told = insert(4097)?;
    assert!(told["detail"].as_str().unwrap_or_default().contains("limits.value-max"), "{told}");
    // It need not come from outside: what a statement makes is a value as well.
    let made = json!({"do": "execute", "sql": "INSERT INTO texts SELECT hex(zeroblob(200000))"});
    let told = step(&client, "values", &made)?;
    assert!(told["detail"].as_str().unwrap_or_default().contains("limits.value-max"), "{told}");
    counted.rose(&[("value", 2)])?;
    bound(&running, "values", "value", 4096.0)?;
    Ok(())
}

#[test]
fn rows_of_one_result() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "statements")?;
    let rows = |count: u32| {
        let sql = format!("{ENDLESS} SELECT i FROM n LIMIT {count}");
        step(&client, "statements", &json!({"do": "query", "sql": sql}))
    };
    assert_eq!(rows(100)?.as_array().map(Vec::len), Some(100));
    counted.rose(&[])?;
    assert_eq!(rows(101)?, json!({"error": "too-many-rows", "detail": "100"}));
    counted.rose(&[("statement-rows", 1)])?;
    bound(&running, "statements", "statement-rows", 100.0)?;
    Ok(())
}

#[test]
fn time_of_one_statement() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "writing")?;
    must(&client, "writing", &json!([{"do": "execute", "sql": "CREATE TABLE sums (n INTEGER)"}]))?;
    let read =
        |count: &str| json!({"do": "query", "sql": format!("SELECT sum(i) FROM ({ENDLESS} SELECT i FROM n {count})")});
    let write = |count: &str| json!({"do": "execute", "sql": format!("INSERT INTO sums SELECT sum(i) FROM ({ENDLESS} SELECT i FROM n {count})")});
    must(&client, "writing", &json!([read("LIMIT 1000"), write("LIMIT 1000")]))?;
    counted.rose(&[])?;
    for endless in [read(""), write("")] {
        let begun = hull_clock::now();
        let told = step(&client, "writing", &endless)?;
        let took = begun.elapsed();
        assert_eq!(told["error"], "timeout", "{told}");
        assert!(told["detail"].as_str().unwrap_or_default().contains("1.2s (limits.statement.time)"), "{told}");
        assert!((Duration::from_millis(1200)..Duration::from_secs(9)).contains(&took), "{took:?} of 1.2 s");
        counted.rose(&[("statement-time", 1)])?;
    }
    must(&client, "writing", &json!([write("LIMIT 1000")]))?;
    bound(&running, "writing", "statement-time", 1.2)?;
    Ok(())
}

#[test]
fn time_of_one_unit_of_work() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "units")?;
    let set = |value: &str| json!({"do": "set", "key": "unit", "value": value});
    let value = || step(&client, "units", &json!({"do": "get", "key": "unit"}));
    let unit = |value: &str, ms: u64| json!([{"do": "begin"}, set(value), {"do": "sleep", "ms": ms}, {"do": "commit"}]);
    must(&client, "units", &unit("quick", 10))?;
    assert_eq!(value()?, "quick");
    counted.rose(&[])?;
    let results = probe::run(&client, "/units/run", &unit("slow", 3_600))?;
    assert_eq!(results[3]["error"], "expired", "{results:?}");
    let detail = results[3]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("1.2s (limits.transaction-time)"), "{results:?}");
    counted.rose(&[("transaction-time", 1)])?;
    assert_eq!(value()?, "quick", "nothing of it stays");
    must(&client, "units", &unit("next", 10))?;
    bound(&running, "units", "transaction-time", 1.2)?;
    Ok(())
}
