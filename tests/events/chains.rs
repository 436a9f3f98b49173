//! Events that cause events: a chain without end is ended by the host.

use hull_tests::events::publish;
use hull_tests::http::Client;
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
    // What is published from outside is the first hop.
    assert_eq!(once.note, "2");
    Ok(())
}

#[test]
fn a_component_that_answers_itself_stops_after_the_bound() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    let on = json!({"do": "publish", "subject": "chain.ping", "payload": "@payload"});
    publish(host, APP, "chain.ping", &json!({"script": [note("endless"), on]}))?;
    wait::until("the chain to be at its end", || {
        let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
        let components = told["components"].as_array().cloned().unwrap_or_default();
        let ping = components.into_iter().find(|component| component["component"] == "ping").unwrap_or_default();
        let quiet = ping["storage"]["outbox"] == 0 && ping["subscriptions"][0]["backlog"] == 0;
        Ok((quiet && endless(&client)? >= HOPS_MAX).then_some(()))
    })?;
    assert_eq!(endless(&client)?, HOPS_MAX);
    Ok(())
}

/// How often the chain without end has been handled.
fn endless(client: &Client) -> anyhow::Result<usize> {
    Ok(seen(client, "ping", "chain.ping")?.iter().filter(|seen| seen.note == "endless").count())
}
