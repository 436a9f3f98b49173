//! Who gets which event, how often, and in which order.

use std::collections::BTreeSet;

use hull_tests::mail::{APP, note, see, seen, seen_and_ok, until_seen};
use hull_tests::{events, wait};
use serde_json::json;

use crate::mail;
use crate::post::handler;

#[test]
fn an_event_reaches_whoever_subscribes_to_it() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    events::publish(host, APP, "work.wide", &seen_and_ok())?;
    events::publish(host, APP, "work.wide.deep", &seen_and_ok())?;
    until_seen(&client, "witness", "work.wide%", 2)?;
    let worker = until_seen(&client, "worker", "work.wide%", 1)?;
    assert_eq!(worker.iter().map(|seen| seen.subject.as_str()).collect::<Vec<_>>(), ["work.wide"]);
    assert!(seen(&client, "queue", "work.%")?.is_empty());
    Ok(())
}

#[test]
fn the_same_event_twice_is_handled_once() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    let first = events::publish_as(host, APP, "work.twice", "order-7", &seen_and_ok())?;
    let again = events::publish_as(host, APP, "work.twice", "order-7", &seen_and_ok())?;
    assert_eq!((&first["id"], &first["duplicate"]), (&json!("order-7"), &json!(false)), "{first}");
    assert_eq!((&again["duplicate"], &again["sequence"]), (&json!(true), &first["sequence"]), "{again}");
    // What comes after it has been handled, so that a second delivery would have been as well.
    events::publish(host, APP, "work.twice-end", &seen_and_ok())?;
    until_seen(&client, "worker", "work.twice-end", 1)?;
    let ids: Vec<String> = until_seen(&client, "worker", "work.twice", 1)?.into_iter().map(|seen| seen.id).collect();
    assert_eq!(ids, ["order-7"]);

    let other = host.asked("POST", &format!("/v1/apps/{APP}/events/work.twice"))?.header("ce-id", "order-7");
    other.json(&json!({"script": []})).send()?.expect(409)?;
    Ok(())
}

#[test]
fn a_failed_attempt_leaves_nothing_and_the_next_one_knows_its_number() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    let publish = json!({"do": "publish", "subject": "work.consequence", "payload": seen_and_ok()});
    let payload = json!({"script": [see(), publish], "then": "retry", "retry_ms": 1, "ok_from": 3, "only": "worker"});
    events::publish(host, APP, "work.third-time", &payload)?;
    let seen_now = until_seen(&client, "worker", "work.third-time", 1)?;
    assert_eq!(seen_now.iter().map(|seen| seen.attempt.as_str()).collect::<Vec<_>>(), ["3"]);
    // The worker may not publish at all: the denial is the handler's to see, and takes nothing with it.
    assert!(seen(&client, "witness", "work.consequence")?.is_empty());
    Ok(())
}

#[test]
fn an_ordered_consumer_waits_for_the_failing_one() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    for n in 0..12 {
        let mut payload = json!({"script": [note(&n.to_string())]});
        if n % 5 == 2 {
            payload = json!({"script": [note(&n.to_string())], "then": "retry", "ok_from": 3});
        }
        events::publish(host, APP, "line.up", &payload)?;
    }
    let seen = until_seen(&client, "queue", "line.up", 12)?;
    let order: Vec<String> = seen.into_iter().map(|seen| seen.note).collect();
    assert_eq!(order, (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_failing_handler_holds_up_nobody_else() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    let sleeping = json!({"script": [{"do": "sleep", "ms": 60_000}], "only": "worker"});
    events::publish(host, APP, "work.stuck", &sleeping)?;
    for _ in 0..20 {
        events::publish(host, APP, "work.free", &seen_and_ok())?;
    }
    until_seen(&client, "witness", "work.free", 20)?;
    until_seen(&client, "worker", "work.free", 20)?;
    Ok(())
}

#[test]
fn a_handler_that_takes_longer_than_the_ack_wait_is_not_run_twice() -> anyhow::Result<()> {
    let trigger = "subjects = [\"slow.*\"]\nack-wait = \"1s\"\nmax-deliver = 5\nbackoff = [\"10ms\"]";
    let app = hull_tests::mail::app(&[handler("slow", trigger, "", "time = \"30s\"")])?;
    let running = hull_tests::shared::Running::start(app)?;
    let (host, client) = (running.host(), running.client());
    // The wait comes before the first write: a unit of work holds the writer only from there on.
    let payload = json!({"script": [{"do": "sleep", "ms": 2_500}, see()]});
    events::publish(host, APP, "slow.once", &payload)?;
    until_seen(&client, "slow", "slow.once", 1)?;
    host.until_idle("slow")?;
    let seen = seen(&client, "slow", "slow.once")?;
    assert_eq!(seen.iter().map(|seen| seen.attempt.as_str()).collect::<Vec<_>>(), ["1"]);
    let started = host.metric("hull_invocations_total{app=\"mail\",cause=\"event\",component=\"slow\"")?;
    assert_eq!(started, Some(1.0));
    Ok(())
}

#[test]
fn the_request_behind_an_event_stays_known() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let publish = json!([{"do": "publish", "subject": "work.traced", "payload": {"script": [note("@correlation")]}}]);
    let request = client.request("POST", "/sender/run").header("x-correlation-id", "basket-99").json(&publish);
    request.send()?.expect_json(200, &json!({"failed": 0}))?;
    let seen = until_seen(&client, "worker", "work.traced", 1)?;
    assert_eq!(seen[0].note, "basket-99");
    Ok(())
}

#[test]
fn many_events_are_handled_once_each() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    let mut ids = BTreeSet::new();
    for _ in 0..200 {
        let published = events::publish(host, APP, "work.many", &seen_and_ok())?;
        ids.insert(published["id"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(ids.len(), 200);
    for component in ["worker", "witness"] {
        let seen = until_seen(&client, component, "work.many", 200)?;
        let handled: Vec<&String> = seen.iter().map(|seen| &seen.id).collect();
        assert_eq!(handled.len(), 200);
        assert_eq!(handled.into_iter().cloned().collect::<BTreeSet<_>>(), ids);
    }
    wait::until("the backlog to be empty", || {
        let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
        let components = told["components"].as_array().cloned().unwrap_or_default();
        let witness = components.iter().find(|component| component["component"] == "witness");
        let idle = witness.is_some_and(|witness| witness["subscriptions"][0]["backlog"] == json!(0));
        Ok(idle.then_some(()))
    })
}
