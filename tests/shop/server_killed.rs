//! PostgreSQL is killed while orders come in, more than once: requests get an answer meanwhile, and every order that was
//! accepted comes to its end once.

use hull_tests::shop::altered;
use hull_tests::wait;
use serde_json::json;

use crate::customer::{
    ask, end_of, key, ledger, notifications, order_of, payments, product, statuses, stock, text, user,
};

const ROUNDS: usize = 3;
const ORDERS: usize = 4;
const STOCK: i64 = 40;
const TOKENS: [&str; 4] = ["tok_ok", "tok_declined", "tok_flaky", "tok_ok"];

#[test]
fn a_killed_server_loses_no_order_and_charges_nobody_twice() -> anyhow::Result<()> {
    let mut app = altered(&[])?.on_postgres()?;
    let host = app.up()?;
    let client = host.client();
    let user = user(&client)?;
    let lamp = product(&client, 1_000, STOCK)?;
    let mut orders = Vec::new();
    for _ in 0..ROUNDS {
        let wanted: Vec<_> = (0..ORDERS).map(|n| (key(), order_of(&user, &lamp, 1, TOKENS[n]))).collect();
        for (key, order) in &wanted {
            ask(&client, key, order)?.expect(202)?;
        }
        let server = app.postgres().expect("it has one");
        server.kill();
        let (key, order) = (key(), order_of(&user, &lamp, 1, "tok_ok"));
        let status = ask(&client, &key, &order)?.status();
        assert!((500..600).contains(&status), "{status} without a database");
        server.restart();
        // The same key is the same order: what was accepted before the kill as well.
        for (key, order) in wanted.iter().chain([&(key, order)]) {
            orders.push(wait::until("an order to be accepted", || {
                let answer = ask(&client, key, order)?;
                if answer.status() == 202 { text(&answer.json()?, "orderId").map(Some) } else { Ok(None) }
            })?);
        }
    }
    let mut confirmed = 0;
    for id in &orders {
        let order = end_of(&client, id)?;
        let ledger = ledger(&client, id)?;
        let charged = statuses(&ledger).iter().filter(|status| **status == "charged").count();
        assert_eq!(charged, usize::from(order["status"] == "confirmed"), "{order} {ledger:?}");
        if order["status"] == "confirmed" {
            assert_eq!(statuses(&payments(&client, id)?), ["charged"]);
            confirmed += 1;
        }
    }
    let left = wait::until("the stock to settle", || {
        let stock = stock(&client, &lamp)?;
        Ok((stock["reserved"] == json!(0)).then_some(stock))
    })?;
    assert_eq!((&left["sold"], &left["available"]), (&json!(confirmed), &json!(STOCK - confirmed)), "{left}");
    assert_eq!(notifications(&client, &user, orders.len())?.len(), orders.len(), "each order is told of once");
    let letters = host.asked("GET", "/v1/apps/shop/dead-letters")?.send()?.expect(200)?.json()?;
    assert_eq!(letters["dead_letters"], json!([]));
    Ok(())
}
