//! The checkout: a saga by events over orders, inventory and payments, with its compensations.

use hull_tests::events::{publish_as, until_heard};
use hull_tests::subset::difference;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::customer::{
    end_of, facts, key, ledger, look, notifications, order_of, payments, place, product, settled, statuses, stock, user,
};
use crate::provider_line::{Line, ProviderLine};
use crate::shop;

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
    let (reserved, others): (Vec<_>, Vec<_>) = facts(&order).into_iter().partition(|fact| *fact == "reserved");
    // Inventory and payments both tell of it, and are heard in any order.
    assert_eq!((reserved.len(), &*others), (1, &["placed", "charged", "confirmed"][..]));
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
    let mut confirmed = Vec::new();
    for id in &ids {
        if end_of(&client, id)?.get("status") == Some(&json!("confirmed")) {
            confirmed.push(id);
        }
    }
    assert_eq!(confirmed.len(), 3);
    settled(&client, confirmed[0], "confirmed", &lamp)?;
    assert_eq!(difference(&json!({"available": 0, "reserved": 0, "sold": 3}), &stock(&client, &lamp)?), None);
    assert_eq!(notifications(&client, &user, 8)?.len(), 8, "one for each order");
    Ok(())
}

#[test]
fn goods_that_are_reserved_twice_over_are_paid_once() -> anyhow::Result<()> {
    let line = ProviderLine::new()?;
    let (_app, host) = line.shop(&[], crate::altered)?;
    let client = host.client();
    let (user, lamp) = (user(&client)?, product(&client, 750, 5)?);
    // The first is being charged for as long as the line is held.
    line.set(Line::Held);
    let id = place(&client, &order_of(&user, &lamp, 2, "tok_ok"))?;
    let reserved = json!({"orderId": id, "userId": user, "amountCents": 1_500, "currency": "EUR"});
    let once_more = || publish_as(&host, "shop", "inventory.reserved", &key(), &reserved);
    wait::until("the provider to charge", || Ok((statuses(&ledger(&client, &id)?) == ["charged"]).then_some(())))?;
    assert_eq!(stock(&client, &lamp)?["reserved"], json!(2));
    once_more()?;
    line.set(Line::Open);
    settled(&client, &id, "confirmed", &lamp)?;
    until_heard(&host, "inventory.reserved")?;
    let order = look(&client, &id)?;
    once_more()?;
    until_heard(&host, "inventory.reserved")?;

    assert_eq!(look(&client, &id)?, order, "nothing has happened to the order");
    assert_eq!(facts(&order).iter().filter(|fact| **fact == "charged").count(), 1, "{order}");
    assert_eq!(statuses(&ledger(&client, &id)?), ["charged"]);
    assert_eq!(statuses(&payments(&client, &id)?), ["charged"]);
    assert_eq!(difference(&json!({"available": 3, "reserved": 0, "sold": 2}), &stock(&client, &lamp)?), None);
    assert_eq!(notifications(&client, &user, 1)?.len(), 1);
    Ok(())
}
