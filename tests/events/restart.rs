//! What the bus and the marks remember when the host dies, and where a new consumer begins.

use std::collections::BTreeSet;

use hull_tests::events;
use hull_tests::mail::{self, APP, seen, seen_and_ok, until_seen};
use serde_json::json;

use crate::post::handler;

const EVENTS: usize = 150;

fn sender() -> String {
    handler("sender", "subjects = [\"none\"]", "publishes = [\"work.*\"]", "")
}

fn worker() -> String {
    handler("worker", "subjects = [\"work.*\"]\nbackoff = [\"10ms\"]\nmax-deliver = 50", "", "")
}

#[test]
fn events_survive_a_kill_and_are_handled_once() -> anyhow::Result<()> {
    let app = crate::placed(mail::app(&[sender(), worker()])?)?;
    let mut published = BTreeSet::new();
    let mut host = app.up()?;
    for round in 0..3 {
        for n in 0..EVENTS / 3 {
            let id = format!("{round}-{n}");
            events::publish_as(&host, APP, "work.surviving", &id, &seen_and_ok())?;
            published.insert(id);
        }
        // In the middle of handling: what is handled is marked, what is not comes again.
        host.kill()?;
        host = app.up()?;
    }
    let client = host.client();
    until_seen(&client, "worker", "work.surviving", EVENTS)?;
    events::publish(&host, APP, "work.end", &seen_and_ok())?;
    until_seen(&client, "worker", "work.end", 1)?;
    let seen = seen(&client, "worker", "work.surviving")?;
    assert_eq!(seen.len(), EVENTS, "an event was handled twice");
    assert_eq!(seen.into_iter().map(|seen| seen.id).collect::<BTreeSet<_>>(), published);

    // The key is still known: asking again after the crash is no second event.
    let again = events::publish_as(&host, APP, "work.surviving", "0-0", &seen_and_ok())?;
    assert_eq!(again["duplicate"], json!(true), "{again}");
    Ok(())
}

#[test]
fn a_new_consumer_begins_where_it_says() -> anyhow::Result<()> {
    let app = crate::placed(mail::app(&[sender(), worker()])?)?;
    let host = app.up()?;
    for _ in 0..5 {
        events::publish(&host, APP, "work.before", &seen_and_ok())?;
    }
    until_seen(&host.client(), "worker", "work.before", 5)?;
    host.stop()?;

    let late =
        |name: &str, start: &str| handler(name, &format!("subjects = [\"work.*\"]\nstart = \"{start}\""), "", "");
    app.set_text(&mail::manifest(&[sender(), worker(), late("archive", "all"), late("ticker", "new")]))?;
    let host = app.up()?;
    let client = host.client();
    events::publish(&host, APP, "work.after", &seen_and_ok())?;
    until_seen(&client, "archive", "work.%", 6)?;
    until_seen(&client, "ticker", "work.after", 1)?;
    until_seen(&client, "worker", "work.after", 1)?;
    assert!(seen(&client, "ticker", "work.before")?.is_empty());
    assert_eq!(seen(&client, "worker", "work.%")?.len(), 6, "what was handled is not handled again");
    Ok(())
}

#[test]
fn an_event_that_waits_for_its_retry_survives_a_stop() -> anyhow::Result<()> {
    let app = crate::placed(mail::app(&[sender(), worker()])?)?;
    let host = app.up()?;
    let payload = json!({"script": [mail::see()], "then": "retry", "retry_ms": 20, "ok_from": 12});
    events::publish(&host, APP, "work.patient", &payload)?;
    host.stop()?;
    let host = app.up()?;
    let seen = until_seen(&host.client(), "worker", "work.patient", 1)?;
    assert_eq!(seen[0].attempt, "12", "attempts are counted across restarts");
    Ok(())
}
