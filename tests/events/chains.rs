//! Events that cause events: a chain without end is ended by the host.

use hull_tests::events::{dead_letters, publish};
use hull_tests::mail::{APP, note, seen};
use hull_tests::wait;
use serde_json::json;

use crate::mail;

/// Hops that a chain may have.
const HOPS_MAX: usize = 64;

#[test]
fn every_hop_is_counted() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    let on = |to: &str| json!({"do": "publish", "subject": to, "payload": {"script": [note("@hops")]}});
    publish(host, APP, "chain.ping", &json!({"script": [note("@hops"), on("chain.pong")]}))?;
    let once = wait::until("the other to be told", || Ok(seen(&client, "pong", "chain.pong")?.into_iter().next()))?;
    assert_eq!(once.note, "1");
    Ok(())
}

#[test]
fn a_component_that_answers_itself_stops_after_the_bound() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    let on = json!({"do": "publish", "subject": "chain.ping", "payload": "@payload"});
    publish(host, APP, "chain.ping", &json!({"script": [note("endless"), on]}))?;
    let letter = wait::until("the chain to be cut", || {
        let letters = dead_letters(host, APP, "ping")?;
        Ok(letters.into_iter().next())
    })?;
    assert!(letter["reason"].as_str().unwrap_or_default().contains(&HOPS_MAX.to_string()), "{letter}");
    let handled = seen(&client, "ping", "chain.ping")?.iter().filter(|seen| seen.note == "endless").count();
    // The first one was published from outside, with no hop behind it.
    assert_eq!(handled, HOPS_MAX + 1);
    Ok(())
}
