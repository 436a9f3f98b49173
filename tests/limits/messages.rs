//! Events: how often and how large they may be, and how many a component handles at once.

use hull_tests::{events, probe, wait};
use serde_json::{Value, json};

use crate::downstream::{Downstream, downstream};
use crate::told::{Counted, bound, shown};
use crate::{APP, limited, limits};

const STORE: &str = "key_value_stores = [\"default\"]";
const BACKLOG: u64 = 12;
const HOPS: u64 = 64;

pub(crate) fn manifest(downstream: &Downstream) -> String {
    let trigger = |name: &str| format!("[[trigger.messaging]]\ncomponent = \"{name}\"\nsubjects = [\"{name}.*\"]\n");
    let publishes = "publishes = [\"nobody.*\"]";
    let calls = format!("{STORE}\n{}", downstream.grant());
    [
        limited("often", "", publishes, "messages = { rate = \"3/h\" }"),
        limited("large", "", publishes, "messages = { size-max = \"1KiB\" }"),
        trigger("backlog"),
        limited("backlog", &calls, "", "consumers = 2\ntime = \"30s\"\noutbound = { time = \"30s\" }"),
        trigger("chain"),
        limited("chain", STORE, "publishes = [\"chain.*\"]", "consumers = 1"),
        trigger("prompt"),
        limited("prompt", STORE, "", "consumers = 1"),
    ]
    .concat()
}

fn publish(component: &str, payload: &str) -> anyhow::Result<Value> {
    let step = json!({"do": "publish", "subject": "nobody.asked", "payload": payload});
    probe::one(&limits()?.client(), &format!("/{component}/run"), &step)
}

#[test]
fn how_often() -> anyhow::Result<()> {
    let running = limits()?;
    let mut counted = Counted::of(&running, "often")?;
    for _ in 0..3 {
        let told = publish("often", "x")?;
        assert!(told["error"].is_null(), "{told}");
    }
    counted.rose(&[])?;
    for _ in 0..2 {
        let told = publish("often", "x")?;
        assert_eq!(told["error"], "rate-limited");
        let wait_ms: u64 = told["detail"].as_str().unwrap_or_default().parse()?;
        assert!((1_000_000..=1_200_000).contains(&wait_ms), "the next third of an hour, not {wait_ms} ms");
    }
    counted.rose(&[("messages-rate", 2)])?;
    bound(&running, "often", "messages-rate", 3.0 / 3600.0)?;
    Ok(())
}

#[test]
fn how_large() -> anyhow::Result<()> {
    let running = limits()?;
    let mut counted = Counted::of(&running, "large")?;
    let told = publish("large", &"x".repeat(1024))?;
    assert!(told["error"].is_null(), "{told}");
    counted.rose(&[])?;
    assert_eq!(publish("large", &"x".repeat(1025))?, json!({"error": "too-large", "detail": "1024"}));
    counted.rose(&[("message-size", 1)])?;
    bound(&running, "large", "message-size", 1024.0)?;
    Ok(())
}

/// A component that answers itself. What is published from outside is the first hop.
#[test]
fn how_long_a_chain() -> anyhow::Result<()> {
    let running = limits()?;
    let mut counted = Counted::of(&running, "chain")?;
    let on = json!({"do": "publish", "subject": "chain.on", "payload": "@payload"});
    let script = json!({"script": [{"do": "increment", "key": "hops", "by": 1}, on]});
    events::publish(running.host(), APP, "chain.on", &script)?;
    let hops = || probe::one(&running.client(), "/chain/run", &json!({"do": "get", "key": "hops"}));
    wait::until("the chain to end", || Ok((hops()? == json!(HOPS.to_string())).then_some(())))?;
    counted.rose(&[("call-depth", 1)])?;
    assert_eq!(hops()?, json!(HOPS.to_string()));
    Ok(())
}

/// What is not handled yet waits on the bus, and occupies nobody else's workers.
#[test]
fn how_many_at_once() -> anyhow::Result<()> {
    let (running, downstream) = (limits()?, downstream()?);
    let (host, client) = (running.host(), running.client());
    let mut counted = Counted::of(&running, "backlog")?;
    let increment = json!({"do": "increment", "key": "handled", "by": 1});
    let slow = json!({"script": [{"do": "call", "url": downstream.url("hold/backlog")}, increment]});
    for _ in 0..BACKLOG {
        events::publish(host, APP, "backlog.work", &slow)?;
    }
    downstream.until_held("backlog", 2)?;
    assert_eq!(bound(&running, "backlog", "consumers", 2.0)?, Some(2.0));
    let handled = |component: &str| {
        let path = format!("/{component}/run");
        probe::one(&client, &path, &json!({"do": "get", "key": "handled"}))
    };
    for number in 1..=3 {
        events::publish(host, APP, "prompt.work", &json!({"script": [increment]}))?;
        wait::until("its neighbour", || Ok((handled("prompt")? == json!(number.to_string())).then_some(())))?;
    }
    assert_eq!(shown(&running, "backlog", "consumers")?.used, Some(2.0));
    assert_eq!(handled("backlog")?, Value::Null, "all this came while its events were waiting");
    downstream.release("backlog");
    wait::until("the backlog", || Ok((handled("backlog")? == json!(BACKLOG.to_string())).then_some(())))?;
    assert_eq!(downstream.most("backlog"), 2);
    // Waiting is no refusal.
    counted.rose(&[])
}
