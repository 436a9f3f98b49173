//! Two hosts share the shop: its events on one nats-server, its data in one PostgreSQL. The work spreads over them, one
//! is killed in the middle of it, and still every order comes to its end once.

use hull_tests::app::App;
use hull_tests::files;
use hull_tests::shop::{reckoning, with_components};

use crate::customer::{order_of, place, product, settled, user};

const ORDERS: usize = 8;
const STOCK: usize = 50;
const TOKENS: [&str; 4] = ["tok_ok", "tok_declined", "tok_flaky", "tok_ok"];

/// The shop, whose events a host that is gone does not hold for long.
fn impatient() -> anyhow::Result<App> {
    let text = std::fs::read_to_string(files::project().join("spin.toml"))?;
    anyhow::ensure!(text.contains("ack-wait = \"30s\""), "the shop waits otherwise");
    with_components(&text.replace("ack-wait = \"30s\"", "ack-wait = \"3s\""))
}

#[test]
fn two_hosts_share_the_work_and_one_may_die() -> anyhow::Result<()> {
    let app = impatient()?.on_nats()?.on_postgres()?;
    let beside = impatient()?.configured_like(&app)?;
    let one = app.up()?;
    let other = beside.up()?;
    let user = user(&one.client())?;
    let lamp = product(&other.client(), 1_000, STOCK as i64)?;
    let mut orders = Vec::new();
    for n in 0..ORDERS {
        let client = if n % 2 == 0 { one.client() } else { other.client() };
        orders.push(place(&client, &order_of(&user, &lamp, 1, TOKENS[n % TOKENS.len()]))?);
    }
    one.kill()?;
    let client = other.client();
    for n in 0..ORDERS {
        orders.push(place(&client, &order_of(&user, &lamp, 1, TOKENS[n % TOKENS.len()]))?);
    }
    reckoning::adds_up(&other, &user, &lamp, STOCK, &orders)?;
    let again = app.up()?;
    let id = place(&again.client(), &order_of(&user, &lamp, 1, "tok_ok"))?;
    settled(&other.client(), &id, "confirmed", &lamp)?;
    Ok(())
}
