//! What customers and staff do, in the words of the shop.

use std::time::Duration;

use crate::http::{Answer, Client};
use crate::wait;
use anyhow::Context as _;
use serde_json::{Value, json};

/// How long an order may take to its end, with all retries of a provider that fails at first.
const ORDER_TIME: Duration = Duration::from_secs(30);

/// A product with so many on the shelf.
pub fn product(client: &Client, price_cents: i64, available: i64) -> anyhow::Result<String> {
    let entry = json!({"name": "Lamp", "description": "It lights up.", "category": "tests", "priceCents": price_cents});
    let made = client.post("/api/products", &entry)?.expect(201)?.json()?;
    let id = text(&made, "id")?;
    client.put(&format!("/api/inventory/{id}"), &json!({"available": available}))?.expect(200)?;
    Ok(id)
}

/// A new customer.
pub fn user(client: &Client) -> anyhow::Result<String> {
    let email = format!("{}@example.com", key());
    let made = client.post("/api/users", &json!({"email": email, "name": "Ada"}))?.expect(201)?.json()?;
    text(&made, "id")
}

/// A key that was never used.
pub fn key() -> String {
    hull_clock::time_ordered_id().to_string()
}

/// An order of one product.
pub fn order_of(user: &str, product: &str, quantity: u32, token: &str) -> Value {
    let items = json!([{"productId": product, "quantity": quantity}]);
    json!({"userId": user, "items": items, "paymentToken": token})
}

/// Ask for an order under a key.
pub fn ask(client: &Client, key: &str, order: &Value) -> anyhow::Result<Answer> {
    client.request("POST", "/api/orders").header("idempotency-key", key).json(order).send()
}

/// Place an order that must be accepted; the result is its id.
pub fn place(client: &Client, order: &Value) -> anyhow::Result<String> {
    let answer = ask(client, &key(), order)?.expect(202)?;
    let accepted = answer.json()?;
    let id = text(&accepted, "orderId")?;
    anyhow::ensure!(accepted.get("status") == Some(&json!("pending")), "{accepted}");
    anyhow::ensure!(answer.header("location") == Some(&format!("/api/orders/{id}")), "{:?}", answer.head);
    Ok(id)
}

/// The order as it is now.
pub fn look(client: &Client, id: &str) -> anyhow::Result<Value> {
    client.get(&format!("/api/orders/{id}"))?.expect(200)?.json()
}

/// Wait until the order is confirmed or cancelled.
pub fn end_of(client: &Client, id: &str) -> anyhow::Result<Value> {
    wait::until_within(ORDER_TIME, &format!("order {id} to end"), || {
        let order = look(client, id)?;
        Ok((order.get("status") != Some(&json!("pending"))).then_some(order))
    })
}

/// Wait until the order has that status and everything it set off has settled: its stock is not reserved any more, and the
/// order has heard of all that was done for it.
pub fn settled(client: &Client, id: &str, status: &str, product: &str) -> anyhow::Result<Value> {
    let order = end_of(client, id)?;
    anyhow::ensure!(order.get("status") == Some(&json!(status)), "{order}");
    wait::until_within(ORDER_TIME, "the stock to be settled", || {
        Ok((stock(client, product)?.get("reserved") == Some(&json!(0))).then_some(()))
    })?;
    wait::until_within(ORDER_TIME, "the order to have heard of everything", || {
        let order = look(client, id)?;
        let has = |fact: &str| facts(&order).contains(&fact);
        // What was to be paid was reserved before, and whoever tells of it may be heard later.
        let is_whole = has("reserved") || !(has("charged") || has("declined"));
        Ok(is_whole.then_some(order))
    })
}

/// What has happened to an order, from its history.
pub fn facts(order: &Value) -> Vec<&str> {
    let history = order.get("history").and_then(Value::as_array);
    history.into_iter().flatten().filter_map(|fact| fact.get("event").and_then(Value::as_str)).collect()
}

/// How much there is of a product.
pub fn stock(client: &Client, product: &str) -> anyhow::Result<Value> {
    client.get(&format!("/api/inventory/{product}"))?.expect(200)?.json()
}

/// What the shop has written down as paid for an order.
pub fn payments(client: &Client, order: &str) -> anyhow::Result<Vec<Value>> {
    items(&client.get(&format!("/api/payments?orderId={order}"))?.expect(200)?.json()?)
}

/// What the provider has in its own ledger for an order.
pub fn ledger(client: &Client, order: &str) -> anyhow::Result<Vec<Value>> {
    items(&client.get(&format!("/psp/charges?orderId={order}"))?.expect(200)?.json()?)
}

/// What the customer was told, once there are as many as expected.
pub fn notifications(client: &Client, user: &str, count: usize) -> anyhow::Result<Vec<Value>> {
    wait::until(&format!("{count} notifications of {user}"), || {
        let told = items(&client.get(&format!("/api/notifications/{user}"))?.expect(200)?.json()?)?;
        Ok((told.len() >= count).then_some(told))
    })
}

/// The statuses in a list of charges or payments.
pub fn statuses(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item.get("status").and_then(Value::as_str)).collect()
}

/// The items of a list.
pub fn items(list: &Value) -> anyhow::Result<Vec<Value>> {
    let items = list.get("items").and_then(Value::as_array);
    items.cloned().with_context(|| format!("no items: {list}"))
}

/// A text in an object.
pub fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    let text = value.get(key).and_then(Value::as_str);
    Ok(text.with_context(|| format!("no {key}: {value}"))?.to_owned())
}
