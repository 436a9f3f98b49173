//! Users and carts: what they take, and what they refuse.

use serde_json::json;

use crate::customer::{key, product, user};
use crate::shop;

#[test]
fn an_address_belongs_to_one_user() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let email = format!("{}@example.com", key());
    let ada = client.post("/api/users", &json!({"email": email, "name": "Ada"}))?;
    let path = ada.header("location").unwrap_or_default().to_owned();
    let id = ada.expect(201)?.json()?["id"].clone();
    client.get(&path)?.expect_json(200, &json!({"id": id, "email": email, "name": "Ada"}))?;
    let again = client.post("/api/users", &json!({"email": email.to_uppercase(), "name": "Eve"}))?;
    assert_eq!(again.header("content-type"), Some("application/problem+json"));
    again.expect_json(409, &json!({"field": "email"}))?;
    client
        .post("/api/users", &json!({"email": "ada", "name": ""}))?
        .expect_json(422, &json!({"field": "email", "errors": [{"field": "email"}, {"field": "name"}]}))?;
    client
        .post("/api/users", &json!({"email": "a@b.c", "name": "A", "age": 7}))?
        .expect_json(422, &json!({"field": "age"}))?;
    client.get("/api/users/nobody")?.expect(404)?;
    client.request("DELETE", &path).send()?.expect(405)?;
    Ok(())
}

#[test]
fn carts_change_and_lose_nothing_under_contention() -> anyhow::Result<()> {
    let shop = shop()?;
    let client = shop.client();
    let user = user(&client)?;
    let products = (0..6).map(|_| product(&client, 100, 1)).collect::<anyhow::Result<Vec<String>>>()?;
    std::thread::scope(|scope| {
        let put = |product| client.put(&format!("/api/carts/{user}/items/{product}"), &json!({"quantity": 2}));
        let threads: Vec<_> = products.iter().map(|product| scope.spawn(move || put(product)?.expect(200))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic").map(drop))
    })?;
    let cart = client.get(&format!("/api/carts/{user}"))?.expect(200)?.json()?;
    assert_eq!(cart["items"].as_array().map(Vec::len), Some(6), "{cart}");
    let item = format!("/api/carts/{user}/items/{}", products[0]);
    client.request("DELETE", &item).send()?.expect(204)?;
    client.request("DELETE", &item).send()?.expect(204)?;
    let cart = client.get(&format!("/api/carts/{user}"))?.expect(200)?.json()?;
    assert_eq!(cart["items"].as_array().map(Vec::len), Some(5));
    client.put(&item, &json!({"quantity": 0}))?.expect_json(422, &json!({"field": "quantity"}))?;
    client.put(&item, &json!({}))?.expect_json(422, &json!({"field": "quantity"}))?;
    Ok(())
}
