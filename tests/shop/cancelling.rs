//! Cancelling orders: whatever a cancellation meets on its way, the stock is back and nobody has paid.

use hull_tests::events::{publish_as, until_heard};
use hull_tests::http::{Answer, Client};
use hull_tests::subset::difference;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::customer::{end_of, key, ledger, look, order_of, payments, place, product, settled, statuses, stock, user};
use crate::provider_line::{Line, ProviderLine};

#[test]
fn an_order_can_be_cancelled_until_it_is_confirmed() -> anyhow::Result<()> {
    let line = ProviderLine::new()?;
    let (_app, host) = line.shop(&[], crate::altered)?;
    let client = host.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 5)?);
    // The money is here, and the shop has not heard of it.
    line.set(Line::Held);
    let id = place(&client, &order_of(&user, &lamp, 2, "tok_ok"))?;
    wait::until("the provider to charge", || Ok((statuses(&ledger(&client, &id)?) == ["charged"]).then_some(())))?;
    cancel(&client, &id)?.expect_json(200, &json!({"status": "cancelled", "reason": "cancelled by the customer"}))?;
    cancel(&client, &id)?.expect(200)?;
    line.set(Line::Open);
    settled(&client, &id, "cancelled", &lamp)?;
    wait::until("the stock to be back", || Ok((stock(&client, &lamp)?["available"] == json!(5)).then_some(())))?;
    wait::until("the money to be back", || {
        let ledger = ledger(&client, &id)?;
        Ok((statuses(&ledger) == ["refunded"]).then_some(()))
    })?;

    let id = place(&client, &order_of(&user, &lamp, 1, "tok_ok"))?;
    end_of(&client, &id)?;
    cancel(&client, &id)?.expect_json(409, &json!({"status": 409, "detail": "~ confirmed"}))?;
    assert_eq!(look(&client, &id)?["status"], "confirmed");
    Ok(())
}

#[test]
fn a_cancellation_that_overtakes_its_order_takes_nothing() -> anyhow::Result<()> {
    let app = crate::altered(&[("settle_after_s = \"60\"", "settle_after_s = \"0\"")])?;
    let host = app.up()?;
    let client = host.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 5)?);
    let id = key();
    let items = json!([{"productId": lamp, "quantity": 2, "priceCents": 100, "name": "Lamp"}]);
    let order =
        json!({"orderId": id, "userId": user, "items": items, "totalCents": 200, "currency": "EUR", "fromCart": false});
    let cancelled = json!({"orderId": id, "userId": user, "totalCents": 200, "currency": "EUR"});
    for (subject, event) in [("orders.cancelled", &cancelled), ("orders.created", &order)] {
        publish_as(&host, "shop", subject, &key(), event)?;
        until_heard(&host, subject)?;
    }

    assert_eq!(difference(&json!({"available": 5, "reserved": 0, "sold": 0}), &stock(&client, &lamp)?), None);
    let called_off = wait::until("the charge to be called off", || {
        let ledger = ledger(&client, &id)?;
        Ok((!ledger.is_empty()).then_some(ledger))
    })?;
    assert_eq!(statuses(&called_off), ["voided"]);
    assert!(!statuses(&payments(&client, &id)?).contains(&"charged"));
    Ok(())
}

fn cancel(client: &Client, id: &str) -> anyhow::Result<Answer> {
    client.post(&format!("/api/orders/{id}/cancel"), &Value::Null)
}
