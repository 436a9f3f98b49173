//! Placing orders: keys that make asking twice safe, carts, and what is refused with the field's name.

use hull_tests::subset::difference;
use hull_tests::wait;
use serde_json::json;

use crate::customer::{ask, key, order_of, place, product, settled, stock, text, user};
use crate::shop;

#[test]
fn the_same_key_is_the_same_order() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 50)?);
    let (key, order) = (key(), order_of(&user, &lamp, 1, "tok_ok"));
    let first = text(&ask(&client, &key, &order)?.expect(202)?.json()?, "orderId")?;
    let again = text(&ask(&client, &key, &order)?.expect(202)?.json()?, "orderId")?;
    assert_eq!(first, again);

    let problem = ask(&client, &key, &order_of(&user, &lamp, 2, "tok_ok"))?;
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    problem.expect_json(422, &json!({"status": 422, "field": "Idempotency-Key"}))?;

    settled(&client, &first, "confirmed", &lamp)?;
    let after = text(&ask(&client, &key, &order)?.expect(202)?.json()?, "orderId")?;
    assert_eq!(first, after, "also once it has ended");
    assert_eq!(difference(&json!({"sold": 1}), &stock(&client, &lamp)?), None);
    Ok(())
}

#[test]
fn one_key_used_by_many_at_once_makes_one_order() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 50)?);
    let (key, order) = (key(), order_of(&user, &lamp, 2, "tok_ok"));
    let ids: Vec<anyhow::Result<String>> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| text(&ask(&client, &key, &order)?.expect(202)?.json()?, "orderId")))
            .collect();
        asked.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let ids = ids.into_iter().collect::<anyhow::Result<std::collections::BTreeSet<_>>>()?;
    assert_eq!(ids.len(), 1, "{ids:?}");
    settled(&client, ids.first().expect("one"), "confirmed", &lamp)?;
    assert_eq!(difference(&json!({"available": 48, "sold": 2}), &stock(&client, &lamp)?), None);
    let list = client.get(&format!("/api/orders?userId={user}"))?.expect(200)?.json()?;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_by_name() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp) = (user(&client)?, product(&client, 100, 5)?);
    let good = order_of(&user, &lamp, 1, "tok_ok");
    client.post("/api/orders", &good)?.expect_json(400, &json!({"field": "Idempotency-Key"}))?;

    let nobody = "0190163d-8d9e-7cc2-aa00-c9a1a0f4a001";
    for (order, status, field) in [
        (order_of(&user, &lamp, 0, "tok_ok"), 422, "items[0].quantity"),
        (order_of(&user, "7", 1, "tok_ok"), 422, "items[0].productId"),
        (order_of("me", &lamp, 1, "tok_ok"), 422, "userId"),
        (order_of(nobody, &lamp, 1, "tok_ok"), 422, "userId"),
        (order_of(&user, &lamp, 1, ""), 422, "paymentToken"),
        (json!({"userId": user, "items": [], "paymentToken": "tok_ok"}), 422, "items"),
        (json!({"userId": user, "fromCart": true, "paymentToken": "tok_ok"}), 422, "fromCart"),
        (json!({"userId": user, "items": [{"productId": lamp}], "paymentToken": "t"}), 422, "items[0].quantity"),
    ] {
        let problem = ask(&client, &key(), &order)?;
        assert_eq!(problem.header("content-type"), Some("application/problem+json"), "{order}");
        problem.expect_json(status, &json!({"status": status, "field": field, "title": "*", "detail": "*"}))?;
    }
    let missing = ask(&client, &key(), &order_of(&user, nobody, 1, "tok_ok"))?.json()?;
    assert_eq!(difference(&json!({"status": 422, "field": "items[0].productId"}), &missing), None);
    let broken = client.request("POST", "/api/orders").header("idempotency-key", &key()).body("{\"userId\":");
    broken.header("content-type", "application/json").send()?.expect_json(400, &json!({"detail": "~ not JSON"}))?;
    client.get(&format!("/api/orders/{nobody}"))?.expect_json(404, &json!({"status": 404}))?;
    Ok(())
}

#[test]
fn a_cart_becomes_an_order() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let (user, lamp, mug) = (user(&client)?, product(&client, 100, 5)?, product(&client, 250, 5)?);
    for (product, quantity) in [(&lamp, 2), (&mug, 1)] {
        let put = client.put(&format!("/api/carts/{user}/items/{product}"), &json!({"quantity": quantity}))?;
        put.expect(200)?;
    }
    let id = place(&client, &json!({"userId": user, "fromCart": true, "paymentToken": "tok_ok"}))?;
    let order = settled(&client, &id, "confirmed", &lamp)?;
    assert_eq!(order["totalCents"], 450);
    wait::until("the cart to be empty", || {
        let cart = client.get(&format!("/api/carts/{user}"))?.expect(200)?.json()?;
        Ok((cart["items"] == json!([])).then_some(()))
    })?;
    Ok(())
}
