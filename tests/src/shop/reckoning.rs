//! The end of the day: whatever broke meanwhile, every order has come to one end, with the money, the goods and the words
//! that belong to it.

use serde_json::json;

use super::customer::{end_of, ledger, notifications, payments, statuses, stock};
use crate::host::Host;
use crate::wait;

/// Of one product and one customer: these orders, of one piece each, have ended; who is confirmed was charged once, at the
/// provider too, and nobody else; the stock adds up to what was put in; each order was told of once; no dead letter.
pub fn adds_up(host: &Host, user: &str, product: &str, put_in: usize, orders: &[String]) -> anyhow::Result<()> {
    let client = host.client();
    let mut confirmed = 0;
    for id in orders {
        let order = end_of(&client, id)?;
        let ledger = ledger(&client, id)?;
        let charged = statuses(&ledger).iter().filter(|status| **status == "charged").count();
        let is_confirmed = match order["status"].as_str() {
            Some("confirmed") => true,
            Some("cancelled") => false,
            other => anyhow::bail!("{other:?}: {order}"),
        };
        anyhow::ensure!(charged == usize::from(is_confirmed), "{order} {ledger:?}");
        if is_confirmed {
            let paid = payments(&client, id)?;
            anyhow::ensure!(statuses(&paid) == ["charged"], "{order} {paid:?}");
            confirmed += 1;
        }
    }
    let left = wait::until("the stock to settle", || {
        let stock = stock(&client, product)?;
        Ok((stock["reserved"] == json!(0)).then_some(stock))
    })?;
    anyhow::ensure!(left["sold"] == confirmed && left["available"] == put_in - confirmed, "{confirmed} sold: {left}");
    let told = notifications(&client, user, orders.len())?;
    anyhow::ensure!(told.len() == orders.len(), "each of {} orders is told of once: {told:?}", orders.len());
    let letters = host.asked("GET", "/v1/apps/shop/dead-letters")?.send()?.expect(200)?.json()?;
    anyhow::ensure!(letters["dead_letters"] == json!([]), "{letters}");
    Ok(())
}
