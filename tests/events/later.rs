//! Events for later: they wait in the outbox of whoever published them, whatever becomes of the host and of its clock.

use anyhow::Context as _;
use hull_tests::clock::Clock;
use hull_tests::http::Client;
use hull_tests::mail::{self, seen, seen_and_ok, until_seen};
use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::mail;
use crate::post::handler;

const HOUR_MS: u64 = 60 * 60 * 1000;

fn at(subject: &str, at_ms: u64) -> Value {
    json!({"do": "publish", "subject": subject, "deliver_at": at_ms, "payload": seen_and_ok()})
}

fn at_once(subject: &str) -> Value {
    json!({"do": "publish", "subject": subject, "payload": seen_and_ok()})
}

fn send(client: &Client, step: &Value) -> anyhow::Result<()> {
    probe::must(client, "/sender/run", &json!([step])).map(drop)
}

fn sender_and_worker() -> anyhow::Result<hull_tests::app::App> {
    let sender = handler("sender", "subjects = [\"none\"]", "publishes = [\"work.*\"]", "");
    crate::placed(mail::app(&[sender, handler("worker", "subjects = [\"work.*\"]", "", "")])?)
}

#[test]
fn an_event_for_later_waits() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let delay_ms = 700;
    let due = hull_clock::unix_ms() + delay_ms;
    let begun = hull_clock::now();
    // Inside a unit the call does not wait for the bus.
    probe::must(&client, "/sender/run", &json!([{"do": "begin"}, at("work.later", due), {"do": "commit"}]))?;
    send(&client, &at_once("work.sooner"))?;
    until_seen(&client, "worker", "work.sooner", 1)?;
    wait::until("the later event", || Ok((!seen(&client, "worker", "work.later")?.is_empty()).then_some(())))?;
    assert!(hull_clock::unix_ms() >= due, "it came {:?} after it was published", begun.elapsed());
    Ok(())
}

#[test]
fn what_is_rolled_back_is_never_delivered() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let due = hull_clock::unix_ms() + 300;
    let unit = json!([{"do": "begin"}, at("work.undone-later", due), {"do": "rollback"}]);
    probe::must(&client, "/sender/run", &unit)?;
    send(&client, &at("work.after-undone", due + 1))?;
    until_seen(&client, "worker", "work.after-undone", 1)?;
    assert!(seen(&client, "worker", "work.undone-later")?.is_empty());
    Ok(())
}

#[test]
fn how_far_ahead_is_bounded() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let now = hull_clock::unix_ms();
    for never in [now + 31 * 24 * HOUR_MS, u64::MAX] {
        let refused = probe::one(&client, "/sender/run", &at("work.never", never))?;
        assert_eq!(refused["error"], "invalid", "{refused}");
        assert!(refused["detail"].as_str().unwrap_or_default().contains("30 days"), "{refused}");
    }
    // What is past is now, and keeps its place among the others.
    let unit = json!([{"do": "begin"}, at_once("work.past-1"), at("work.past-2", 1), at_once("work.past-3"),
        {"do": "commit"}]);
    probe::must(&client, "/sender/run", &unit)?;
    for subject in ["work.past-1", "work.past-2", "work.past-3"] {
        until_seen(&client, "worker", subject, 1)?;
    }
    Ok(())
}

#[test]
fn it_survives_a_kill_and_comes_once() -> anyhow::Result<()> {
    let app = sender_and_worker()?;
    let host = app.up()?;
    let begun = hull_clock::unix_ms();
    let (soon, later) = (begun + 500, begun + 4_000);
    for (subject, due) in [("work.soon", soon), ("work.later", later)] {
        // Outside a unit the call returns when it is in the outbox.
        send(&host.client(), &at(subject, due))?;
    }
    assert!(hull_clock::unix_ms() < later, "the call waits for the time");
    host.kill()?;
    // What became due while nobody was there goes out at once, the rest at its time; and a second kill changes nothing.
    let host = app.up()?;
    until_seen(&host.client(), "worker", "work.soon", 1)?;
    host.kill()?;
    let host = app.up()?;
    let client = host.client();
    until_seen(&client, "worker", "work.later", 1)?;
    assert!(hull_clock::unix_ms() >= later, "it came too soon");
    send(&client, &at_once("work.end"))?;
    until_seen(&client, "worker", "work.end", 1)?;
    assert_eq!(seen(&client, "worker", "work.%")?.len(), 3, "one of them came twice");
    Ok(())
}

/// The time is that of the host's wall clock, as it is when somebody looks: not what it was when the event was
/// published.
#[test]
fn a_clock_that_steps_neither_loses_nor_doubles_it() -> anyhow::Result<()> {
    let mut app = sender_and_worker()?;
    let clock = Clock::in_folder(app.folder())?;
    for (name, value) in clock.environment() {
        app = app.variable(name, &value);
    }
    let host = app.up()?;
    let client = host.client();
    let hour = i64::try_from(HOUR_MS / 1000).context("a number")?;
    send(&client, &at("work.step-far", hull_clock::unix_ms() + HOUR_MS / 2))?;
    let due = hull_clock::unix_ms() + 3_000;
    send(&client, &at("work.step-near", due))?;

    // Whatever is published has the relay look at the clock.
    let look = || send(&client, &at_once("work.look"));
    let comes = |subject: &'static str| {
        wait::until(subject, || {
            look()?;
            Ok((!seen(&client, "worker", subject)?.is_empty()).then_some(()))
        })
    };
    clock.step(-hour)?;
    wait::until("the time to be over", || Ok((hull_clock::unix_ms() > due + 1_500).then_some(())))?;
    look()?;
    until_seen(&client, "worker", "work.look", 1)?;
    assert!(seen(&client, "worker", "work.step-near")?.is_empty(), "by the host's clock it is not time yet");
    clock.right()?;
    comes("work.step-near")?;
    assert!(seen(&client, "worker", "work.step-far")?.is_empty());
    clock.step(hour)?;
    comes("work.step-far")?;
    clock.right()?;
    send(&client, &at_once("work.end"))?;
    until_seen(&client, "worker", "work.end", 1)?;
    for subject in ["work.step-near", "work.step-far"] {
        assert_eq!(seen(&client, "worker", subject)?.len(), 1, "{subject}");
    }
    Ok(())
}
