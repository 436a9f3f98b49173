//! PostgreSQL is killed while orders come in, more than once: requests get an answer meanwhile, and every order that was
//! accepted comes to its end once.

use hull_tests::shop::{altered, reckoning};
use hull_tests::wait;

use crate::customer::{ask, key, order_of, product, text, user};

const ROUNDS: usize = 3;
const ORDERS: usize = 4;
const STOCK: usize = 40;
const TOKENS: [&str; 4] = ["tok_ok", "tok_declined", "tok_flaky", "tok_ok"];

#[test]
fn a_killed_server_loses_no_order_and_charges_nobody_twice() -> anyhow::Result<()> {
    let mut app = altered(&[])?.on_postgres()?;
    let host = app.up()?;
    let client = host.client();
    let user = user(&client)?;
    let lamp = product(&client, 1_000, STOCK as i64)?;
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
    reckoning::adds_up(&host, &user, &lamp, STOCK, &orders)
}
