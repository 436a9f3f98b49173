//! What a guest may publish, and when it goes out.

use hull_tests::mail::{seen, seen_and_ok, until_seen};
use hull_tests::probe;
use serde_json::{Value, json};

use crate::mail;

fn publish(subject: &str) -> Value {
    json!({"do": "publish", "subject": subject, "payload": seen_and_ok()})
}

#[test]
fn a_unit_of_work_publishes_when_it_commits() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let run = |script: &Value| probe::must(&client, "/sender/run", script);
    let set = |value: &str| json!({"do": "set", "key": "unit", "value": value});
    run(&json!([{"do": "begin"}, set("rolled back"), publish("work.never"), {"do": "rollback"}]))?;
    run(&json!([{"do": "begin"}, set("forgotten"), publish("work.never"), {"do": "forget"}]))?;
    // Returning without a commit.
    run(&json!([{"do": "begin"}, set("left open"), publish("work.never")]))?;
    client
        .post("/sender/run", &json!([{"do": "begin"}, set("trapped"), publish("work.never"), {"do": "trap"}]))?
        .expect(500)?;
    assert_eq!(probe::one(&client, "/sender/run", &json!({"do": "get", "key": "unit"}))?, Value::Null);

    run(&json!([{"do": "begin"}, set("committed"), publish("work.at-last"), {"do": "commit"}]))?;
    assert_eq!(probe::one(&client, "/sender/run", &json!({"do": "get", "key": "unit"}))?, "committed");
    until_seen(&client, "worker", "work.at-last", 1)?;
    assert!(seen(&client, "worker", "work.never")?.is_empty());
    assert!(seen(&client, "witness", "work.never")?.is_empty());
    Ok(())
}

#[test]
fn more_than_the_rate_is_an_error_that_the_guest_sees() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let event =
        |number: u32| json!({"do": "publish", "subject": format!("work.rate-{number}"), "payload": seen_and_ok()});
    for number in 1..=2 {
        probe::must(&client, "/frugal/run", &json!([event(number)]))?;
    }
    let limited = probe::one(&client, "/frugal/run", &event(3))?;
    assert_eq!(limited["error"], "rate-limited", "{limited}");
    for number in 1..=2 {
        until_seen(&client, "worker", &format!("work.rate-{number}"), 1)?;
    }
    assert!(seen(&client, "worker", "work.rate-3")?.is_empty());
    Ok(())
}

#[test]
fn what_is_not_granted_or_too_large_is_an_error_that_the_guest_sees() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let tried = |step: &Value| probe::one(&client, "/sender/run", step);
    let denied = tried(&publish("other.subject"))?;
    assert_eq!(denied["error"], "denied");
    let detail = denied["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("publishes") && detail.contains("sender"), "{detail}");
    assert_eq!(tried(&publish("work.*"))?["error"], "invalid");
    assert_eq!(tried(&publish("work..x"))?["error"], "invalid");
    let large = json!({"do": "publish", "subject": "work.large", "payload": "x".repeat(65 * 1024)});
    let large = tried(&large)?;
    assert_eq!((&large["error"], &large["detail"]), (&json!("too-large"), &json!("65536")));
    let denied = probe::one(&client, "/worker/run", &publish("work.any"))?;
    assert_eq!(denied["error"], "denied", "{denied}");
    Ok(())
}

#[test]
fn an_id_names_one_event() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let with =
        |payload: &Value| json!({"do": "publish", "subject": "work.named", "id": "invoice-1", "payload": payload});
    assert_eq!(probe::one(&client, "/sender/run", &with(&seen_and_ok()))?, "invoice-1");
    assert_eq!(probe::one(&client, "/sender/run", &with(&seen_and_ok()))?, "invoice-1");
    let reused = probe::one(&client, "/sender/run", &with(&json!({"script": []})))?;
    assert_eq!(reused["error"], "id-reused", "{reused}");
    until_seen(&client, "worker", "work.named", 1)?;
    probe::must(&client, "/sender/run", &json!([publish("work.named-end")]))?;
    until_seen(&client, "worker", "work.named-end", 1)?;
    assert_eq!(seen(&client, "worker", "work.named")?.len(), 1);
    Ok(())
}
