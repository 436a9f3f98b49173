//! Orders are event-sourced: the read model can be made again from the events, and the past can be asked for.

use serde_json::{Value, json};

use crate::customer::{look, order_of, place, product, settled, user};
use crate::shop;

#[test]
fn a_rebuilt_read_model_is_the_same() -> anyhow::Result<()> {
    // A shop of its own: others must not order while the two lists are compared.
    let shop = hull_tests::shared::Running::start(crate::app()?)?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 5)?);
    for (quantity, token, status) in
        [(2, "tok_ok", "confirmed"), (9, "tok_ok", "cancelled"), (1, "tok_declined", "cancelled")]
    {
        let id = place(&client, &order_of(&user, &lamp, quantity, token))?;
        settled(&client, &id, status, &lamp)?;
    }
    let list = || client.get(&format!("/api/orders?userId={user}"))?.expect(200)?.json();
    let before = list()?;
    let rebuilt = client.post("/api/orders/_rebuild", &Value::Null)?.expect(200)?.json()?;
    assert_eq!(rebuilt["orders"], 3);
    assert_eq!(rebuilt["next"], Value::Null);
    assert_eq!(before, list()?);
    assert_eq!(before["items"].as_array().map(Vec::len), Some(3));
    Ok(())
}

#[test]
fn the_past_can_be_asked_for() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 5)?);
    let id = place(&client, &order_of(&user, &lamp, 1, "tok_ok"))?;
    let now = settled(&client, &id, "confirmed", &lamp)?;
    let history = now["history"].as_array().cloned().unwrap_or_default();
    assert!(history.len() >= 4, "{now}");
    for fact in &history {
        let at = fact["at"].as_str().unwrap_or_default();
        // Facts within one millisecond cannot be told apart.
        let seen = history.iter().filter(|other| sortable(&other["at"]) <= sortable(&fact["at"])).count();
        let then = client.get(&format!("/api/orders/{id}?at={at}"))?.expect(200)?.json()?;
        assert_eq!(then["version"], json!(seen), "{at}: {then}");
        assert_eq!(then["history"].as_array().map(Vec::len), Some(seen));
        let confirmed = history.iter().take(seen).any(|fact| fact["event"] == "confirmed");
        assert_eq!(then["status"], if confirmed { "confirmed" } else { "pending" });
    }
    client.get(&format!("/api/orders/{id}?at=2020-01-01T00:00:00Z"))?.expect(404)?;
    client.get(&format!("/api/orders/{id}?at=yesterday"))?.expect_json(400, &json!({"field": "at"}))?;
    Ok(())
}

/// A time as text that sorts by time: fractions of a second come without the zeros at their end.
fn sortable(time: &Value) -> String {
    let time = time.as_str().unwrap_or_default().trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<9}")
}

#[test]
fn a_long_history_reads_the_same_with_its_snapshots() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 5)?);
    let id = place(&client, &order_of(&user, &lamp, 1, "tok_ok"))?;
    settled(&client, &id, "confirmed", &lamp)?;
    for n in 1..=60 {
        client.post(&format!("/api/orders/{id}/notes"), &json!({"text": format!("note {n}")}))?.expect(201)?;
    }
    let now = look(&client, &id)?;
    let history = now["history"].as_array().cloned().unwrap_or_default();
    assert!(history.len() > 60);
    assert_eq!(now["version"], json!(history.len()));
    let last = history.last().and_then(|fact| fact["at"].as_str()).unwrap_or_default().to_owned();
    // From the events, through the last snapshot before that time, and from the read model.
    let then = client.get(&format!("/api/orders/{id}?at={last}"))?.expect(200)?.json()?;
    assert_eq!(then, now);
    client.post("/api/orders/_rebuild", &Value::Null)?.expect(200)?;
    assert_eq!(look(&client, &id)?, now);
    Ok(())
}
