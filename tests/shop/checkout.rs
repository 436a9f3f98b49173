//! The checkout: a saga by events over orders, inventory and payments, with its compensations.

use hull_tests::events::publish_as;
use hull_tests::host::Host;
use hull_tests::subset::difference;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::customer::{
    key, ledger, look, notifications, order_of, payments, place, product, settled, statuses, stock, user,
};
use crate::shop;

fn facts(order: &Value) -> Vec<&str> {
    let history = order.get("history").and_then(Value::as_array);
    history.into_iter().flatten().filter_map(|fact| fact.get("event").and_then(Value::as_str)).collect()
}

#[test]
fn an_order_is_confirmed() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 1_999, 10)?);
    let id = place(&client, &order_of(&user, &lamp, 3, "tok_ok"))?;
    let order = settled(&client, &id, "confirmed", &lamp)?;

    let expected = json!({"orderId": id, "userId": user, "totalCents": 5_997, "currency": "EUR", "reason": null,
        "items": [{"productId": lamp, "quantity": 3, "priceCents": 1_999, "name": "Lamp"}]});
    assert_eq!(difference(&expected, &order), None);
    assert_eq!(facts(&order).first(), Some(&"placed"));
    assert_eq!(facts(&order).last(), Some(&"confirmed"));
    assert_eq!(difference(&json!({"available": 7, "reserved": 0, "sold": 3}), &stock(&client, &lamp)?), None);
    let paid = Value::from(payments(&client, &id)?);
    assert_eq!(difference(&json!([{"orderId": id, "amountCents": 5_997, "status": "charged"}]), &paid), None);
    assert_eq!(statuses(&ledger(&client, &id)?), ["charged"]);
    let told = Value::from(notifications(&client, &user, 1)?);
    assert_eq!(difference(&json!([{"orderId": id, "kind": "confirmed"}]), &told), None);
    Ok(())
}

#[test]
fn an_order_beyond_the_stock_is_cancelled_and_takes_nothing() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 500, 2)?);
    let id = place(&client, &order_of(&user, &lamp, 3, "tok_ok"))?;
    let order = settled(&client, &id, "cancelled", &lamp)?;

    assert_eq!(difference(&json!({"reason": "~ out of stock"}), &order), None);
    assert_eq!(difference(&json!({"available": 2, "reserved": 0, "sold": 0}), &stock(&client, &lamp)?), None);
    let told = Value::from(notifications(&client, &user, 1)?);
    assert_eq!(difference(&json!([{"orderId": id, "kind": "cancelled"}]), &told), None);
    assert!(ledger(&client, &id)?.is_empty());
    Ok(())
}

#[test]
fn a_declined_card_cancels_the_order_and_gives_the_stock_back() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 500, 5)?);
    for token in ["tok_declined", "tok_of_nobody"] {
        let id = place(&client, &order_of(&user, &lamp, 4, token))?;
        settled(&client, &id, "cancelled", &lamp)?;
        assert_eq!(difference(&json!({"available": 5, "sold": 0}), &stock(&client, &lamp)?), None, "{token}");
        assert_eq!(statuses(&payments(&client, &id)?), ["declined"], "{token}");
        assert!(!statuses(&ledger(&client, &id)?).contains(&"charged"), "{token}");
    }
    assert_eq!(notifications(&client, &user, 2)?.len(), 2);
    Ok(())
}

#[test]
fn a_provider_that_fails_at_first_charges_once() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 750, 5)?);
    let id = place(&client, &order_of(&user, &lamp, 1, "tok_flaky"))?;
    settled(&client, &id, "confirmed", &lamp)?;
    assert_eq!(statuses(&ledger(&client, &id)?), ["charged"]);
    assert_eq!(statuses(&payments(&client, &id)?), ["charged"]);
    assert_eq!(notifications(&client, &user, 1)?.len(), 1);
    Ok(())
}

#[test]
fn the_last_piece_is_sold_once() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 750, 3)?);
    let ids = (0..8)
        .map(|_| place(&client, &order_of(&user, &lamp, 1, "tok_ok")))
        .collect::<anyhow::Result<Vec<String>>>()?;
    let mut confirmed = 0;
    for id in &ids {
        let order = crate::customer::end_of(&client, id)?;
        confirmed += usize::from(order.get("status") == Some(&json!("confirmed")));
    }
    assert_eq!(confirmed, 3);
    settled(&client, &ids[0], "confirmed", &lamp)?;
    assert_eq!(difference(&json!({"available": 0, "reserved": 0, "sold": 3}), &stock(&client, &lamp)?), None);
    assert_eq!(notifications(&client, &user, 8)?.len(), 8, "one for each order");
    Ok(())
}

#[test]
fn goods_that_are_reserved_twice_over_are_paid_once() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 750, 5)?);
    let id = place(&client, &order_of(&user, &lamp, 2, "tok_slow"))?;
    let reserved = json!({"orderId": id, "userId": user, "amountCents": 1_500, "currency": "EUR"});
    let once_more = || publish_as(shop.host(), "shop", "inventory.reserved", &key(), &reserved);
    wait::until("the goods to be reserved", || Ok((stock(&client, &lamp)?["reserved"] == json!(2)).then_some(())))?;
    // While the first is being charged, and when it has been.
    once_more()?;
    settled(&client, &id, "confirmed", &lamp)?;
    until_heard(shop.host(), "inventory.reserved")?;
    let order = look(&client, &id)?;
    once_more()?;
    until_heard(shop.host(), "inventory.reserved")?;

    assert_eq!(look(&client, &id)?, order, "nothing has happened to the order");
    assert_eq!(facts(&order).iter().filter(|fact| **fact == "charged").count(), 1, "{order}");
    assert_eq!(statuses(&ledger(&client, &id)?), ["charged"]);
    assert_eq!(statuses(&payments(&client, &id)?), ["charged"]);
    assert_eq!(difference(&json!({"available": 3, "reserved": 0, "sold": 2}), &stock(&client, &lamp)?), None);
    assert_eq!(notifications(&client, &user, 1)?.len(), 1);
    Ok(())
}

/// Wait until everyone has handled what was published under that subject.
pub(crate) fn until_heard(host: &Host, subject: &str) -> anyhow::Result<()> {
    wait::until(&format!("{subject} to be handled"), || {
        let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
        let components = told["components"].as_array().into_iter().flatten();
        let mut consumers = components
            .flat_map(|component| component["subscriptions"].as_array().into_iter().flatten())
            .filter(|consumer| consumer["pattern"] == subject)
            .peekable();
        anyhow::ensure!(consumers.peek().is_some(), "nobody listens to {subject}: {told}");
        Ok(consumers.all(|one| one["backlog"] == 0 && one["in_flight"] == 0).then_some(()))
    })
}
