//! What cannot be handled is set aside with the reason, can be looked at, replayed to that component alone, and deleted.

use hull_tests::events::{dead_letters, letter_path, publish};
use hull_tests::host::Host;
use hull_tests::mail::{APP, see, seen, until_seen};
use hull_tests::subset::difference;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::mail;

/// The dead letter of a subject, once it is there.
fn letter(host: &Host, component: &str, subject: &str) -> anyhow::Result<Value> {
    wait::until(&format!("a dead letter of {subject}"), || {
        let letters = dead_letters(host, APP, component)?;
        Ok(letters.into_iter().find(|letter| letter["subject"] == subject))
    })
}

#[test]
fn after_the_last_attempt_it_is_a_dead_letter() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    let payload = json!({"script": [see()], "then": "retry", "retry_ms": 1, "only": "worker"});
    publish(host, APP, "work.hopeless", &payload)?;
    let letter = letter(host, "worker", "work.hopeless")?;
    let expected = json!({"component": "worker", "kind": "incoming", "subject": "work.hopeless", "event_id": "*",
        "source": "*", "reason": "*", "attempts": 3, "died_at": "*"});
    assert_eq!(difference(&expected, &letter), None, "{letter}");
    assert!(seen(&client, "worker", "work.hopeless")?.is_empty());
    until_seen(&client, "witness", "work.free", 0)?;
    assert!(dead_letters(host, APP, "witness")?.iter().all(|letter| letter["subject"] != "work.hopeless"));

    let whole = host.asked("GET", &letter_path(APP, "worker", &letter)?)?.send()?.expect(200)?.json()?;
    assert_eq!(difference(&json!({"payload_text": payload.to_string(), "headers": whole["headers"]}), &whole), None);
    Ok(())
}

#[test]
fn rejects_traps_and_nonsense_have_their_reason() -> anyhow::Result<()> {
    let mail = mail()?;
    let host = mail.host();
    publish(host, APP, "work.rejected", &json!({"then": "reject", "only": "worker"}))?;
    publish(host, APP, "work.trapped", &json!({"then": "trap", "only": "worker"}))?;
    publish(host, APP, "work.nonsense", &json!("not an object"))?;
    let rejected = letter(host, "worker", "work.rejected")?;
    assert_eq!(difference(&json!({"reason": "~ by intent", "attempts": 1}), &rejected), None, "{rejected}");
    let trapped = letter(host, "worker", "work.trapped")?;
    assert_eq!(difference(&json!({"reason": "*", "attempts": 3}), &trapped), None, "{trapped}");
    let nonsense = letter(host, "worker", "work.nonsense")?;
    assert_eq!(difference(&json!({"reason": "~ no orders", "attempts": 1}), &nonsense), None, "{nonsense}");
    Ok(())
}

#[test]
fn a_replay_goes_to_that_component_alone() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client) = (mail.host(), mail.client());
    // The gate is shut for the worker by a row that is there already.
    let shut = json!({"do": "execute", "sql": "INSERT INTO gate (name) VALUES ('replay')"});
    probe::must(&client, "/worker/run", &json!([shut]))?;
    let payload = json!({"script": [see(), shut], "then": "fault", "retry_ms": 1});
    publish(host, APP, "work.replayed", &payload)?;
    until_seen(&client, "witness", "work.replayed", 1)?;
    let path = letter_path(APP, "worker", &letter(host, "worker", "work.replayed")?)?;
    let replay = || host.asked("POST", &format!("{path}/replay"))?.send()?.expect(200)?.json();

    assert_eq!(replay()?["outcome"], "failed", "the gate is still shut");
    assert!(seen(&client, "worker", "work.replayed")?.is_empty());
    host.asked("GET", &path)?.send()?.expect(200)?;

    probe::must(&client, "/worker/run", &json!([{"do": "execute", "sql": "DELETE FROM gate WHERE name = 'replay'"}]))?;
    assert_eq!(replay()?["outcome"], "handled");
    assert_eq!(seen(&client, "worker", "work.replayed")?.len(), 1);
    assert_eq!(seen(&client, "witness", "work.replayed")?.len(), 1, "the witness had handled it before");
    host.asked("GET", &path)?.send()?.expect(404)?;
    Ok(())
}

#[test]
fn a_deleted_dead_letter_is_gone() -> anyhow::Result<()> {
    let mail = mail()?;
    let host = mail.host();
    publish(host, APP, "work.deleted", &json!({"then": "reject", "only": "worker"}))?;
    let path = letter_path(APP, "worker", &letter(host, "worker", "work.deleted")?)?;
    host.asked("DELETE", &path)?.send()?.expect(204)?;
    host.asked("DELETE", &path)?.send()?.expect(404)?;
    assert!(dead_letters(host, APP, "worker")?.iter().all(|letter| letter["subject"] != "work.deleted"));
    Ok(())
}

#[test]
fn the_command_line_shows_replays_and_purges() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, app) = (mail.host(), mail.app());
    publish(host, APP, "work.by-hand", &json!({"then": "reject", "only": "worker"}))?;
    let id = letter(host, "worker", "work.by-hand")?["id"].to_string();
    let list = app.command(&["dead-letters", "list"])?;
    assert_eq!(list.status, Some(0), "{}", list.said());
    assert!(list.stdout.contains("work.by-hand") && list.stdout.contains("by intent"), "{}", list.said());
    let run = |verb: &str| app.command(&["dead-letters", verb, &format!("worker/{id}")]);
    let show = run("show")?;
    assert_eq!(show.status, Some(0), "{}", show.said());
    assert!(show.stdout.contains("by intent"), "{}", show.said());
    let replay = run("replay")?;
    assert!(replay.said().contains("reject"), "{}", replay.said());
    assert_eq!(run("purge")?.status, Some(0));
    assert_eq!(run("show")?.status, Some(1));
    Ok(())
}

#[test]
fn many_are_replayed_by_their_reason_once_each() -> anyhow::Result<()> {
    let mail = mail()?;
    let (host, client, app) = (mail.host(), mail.client(), mail.app());
    let shut = json!({"do": "execute", "sql": "INSERT INTO gate (name) VALUES ('mass')"});
    let pass = json!({"do": "execute", "sql": "INSERT INTO gate (name) SELECT 'mass' WHERE EXISTS \
        (SELECT 1 FROM gate WHERE name = 'mass')"});
    probe::must(&client, "/worker/run", &json!([shut]))?;
    let waits = json!({"script": [see(), pass], "then": "fault", "retry_ms": 1, "only": "worker"});
    for _ in 0..3 {
        publish(host, APP, "work.mass", &waits)?;
    }
    for _ in 0..2 {
        publish(host, APP, "work.mass", &json!({"then": "reject", "only": "worker"}))?;
    }
    let left = || {
        let letters = dead_letters(host, APP, "worker")?;
        anyhow::Ok(letters.into_iter().filter(|letter| letter["subject"] == "work.mass").collect::<Vec<_>>())
    };
    let all = wait::until("five dead letters", || Ok(Some(left()?).filter(|letters| letters.len() == 5)))?;
    let reason = all.iter().filter_map(|letter| letter["reason"].as_str()).find(|reason| !reason.contains("by intent"));
    // Each replay that fails may say something else around what the handler said.
    let reason = reason.and_then(|reason| reason.split("the last: ").nth(1)).unwrap_or("no such reason");
    let run = |verb: &str, reason: &str| {
        app.command(&["dead-letters", verb, "--all", "--subject", "work.mass", "--reason", reason])
    };

    let again = run("replay", reason)?;
    assert_eq!((again.status, again.stdout.lines().count()), (Some(1), 3), "still shut: {}", again.said());
    assert_eq!(left()?.len(), 5);
    let open = json!({"do": "execute", "sql": "DELETE FROM gate WHERE name = 'mass'"});
    probe::must(&client, "/worker/run", &json!([open]))?;
    let replayed = run("replay", reason)?;
    assert_eq!((replayed.status, replayed.stdout.matches("handled").count()), (Some(0), 3), "{}", replayed.said());
    let twice = run("replay", reason)?;
    assert_eq!((twice.status, twice.stdout.trim()), (Some(0), "there are none"), "{}", twice.said());
    assert_eq!(seen(&client, "worker", "work.mass")?.len(), 3, "once each");
    assert_eq!(left()?.len(), 2, "those with another reason stay");
    assert_eq!(run("purge", "by intent")?.status, Some(0));
    assert!(left()?.is_empty());
    Ok(())
}
