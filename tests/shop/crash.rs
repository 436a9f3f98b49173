//! The host is killed in the middle of a burst of orders, more than once: every order that was accepted comes to its
//! end, nobody pays twice, and not a piece of the stock is lost.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use hull_tests::host::Host;
use hull_tests::http::Client;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::customer::{
    ask, end_of, key, ledger, notifications, order_of, payments, product, statuses, stock, text, user,
};

const KILLS: usize = 3;
/// Accepted orders before the host is killed.
const BURST: usize = 12;
const CUSTOMERS: usize = 4;
const STOCK: i64 = 30;
const TOKENS: [&str; 4] = ["tok_ok", "tok_declined", "tok_flaky", "tok_slow"];

#[test]
fn a_killed_host_loses_no_order_and_charges_nobody_twice() -> anyhow::Result<()> {
    let app = crate::app()?;
    let mut host = app.up()?;
    let lamp = product(&host.client(), 1_000, STOCK)?;
    let mut bursts = Vec::new();
    for _ in 0..KILLS {
        let user = user(&host.client())?;
        let accepted = burst_and_kill(host, &user, &lamp)?;
        bursts.push((user, accepted));
        host = app.up()?;
    }
    let client = host.client();
    let mut sold = 0;
    for (user, accepted) in &bursts {
        sold += check(&client, user, accepted)?;
    }
    let settled = wait::until("the stock to settle", || {
        let stock = stock(&client, &lamp)?;
        Ok((stock["reserved"] == json!(0)).then_some(stock))
    })?;
    assert_eq!(settled["sold"], json!(sold), "{settled}");
    assert_eq!(settled["available"], json!(STOCK - sold), "{settled}");
    let letters = host.asked("GET", "/v1/apps/shop/dead-letters")?.send()?.expect(200)?.json()?;
    assert_eq!(letters["dead_letters"], json!([]));
    Ok(())
}

/// Customers order until enough is accepted; then the host dies under them.
fn burst_and_kill(host: Host, user: &str, lamp: &str) -> anyhow::Result<BTreeSet<String>> {
    let client = host.client();
    let accepted = Mutex::new(BTreeSet::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for customer in 0..CUSTOMERS {
            let (accepted, over) = (&accepted, &over);
            scope.spawn(move || {
                for n in customer.. {
                    if over.load(Ordering::Acquire) {
                        return;
                    }
                    // What is not answered may or may not have been accepted; what is answered 202 has been.
                    if let Ok(id) = order(&client, &order_of(user, lamp, 1, TOKENS[n % TOKENS.len()])) {
                        accepted.lock().expect("not poisoned").insert(id);
                    }
                }
            });
        }
        let enough =
            wait::until("enough orders", || Ok((accepted.lock().expect("not poisoned").len() >= BURST).then_some(())));
        let killed = host.kill();
        over.store(true, Ordering::Release);
        enough.and(killed)
    })?;
    Ok(accepted.into_inner().expect("not poisoned"))
}

fn order(client: &Client, order: &Value) -> anyhow::Result<String> {
    text(&ask(client, &key(), order)?.expect(202)?.json()?, "orderId")
}

/// Check all orders of a customer; the result is how many were confirmed.
fn check(client: &Client, user: &str, accepted: &BTreeSet<String>) -> anyhow::Result<i64> {
    assert!(accepted.len() >= BURST);
    // Among the orders of this customer are those whose answer the kill has swallowed.
    let all = all_orders(client, user)?;
    for id in accepted {
        assert!(all.contains(id), "order {id} was accepted and is gone");
    }
    let mut confirmed = 0;
    for id in &all {
        let order = end_of(client, id)?;
        let ledger = ledger(client, id)?;
        assert!(ledger.len() <= 1, "the provider was asked under more than one key: {ledger:?}");
        let charged = statuses(&ledger).iter().filter(|status| **status == "charged").count();
        match order["status"].as_str() {
            Some("confirmed") => {
                assert_eq!(charged, 1, "{order} {ledger:?}");
                assert_eq!(statuses(&payments(client, id)?), ["charged"]);
                confirmed += 1;
            }
            Some("cancelled") => assert_eq!(charged, 0, "{order} {ledger:?}"),
            other => anyhow::bail!("{other:?}: {order}"),
        }
    }
    let told = notifications(client, user, all.len())?;
    let orders: BTreeSet<&str> = told.iter().filter_map(|note| note["orderId"].as_str()).collect();
    assert_eq!((orders.len(), told.len()), (all.len(), all.len()), "each order is told of once");
    Ok(confirmed)
}

fn all_orders(client: &Client, user: &str) -> anyhow::Result<BTreeSet<String>> {
    let list = client.get(&format!("/api/orders?userId={user}"))?.expect(200)?.json()?;
    crate::customer::items(&list)?.iter().map(|order| text(order, "orderId")).collect()
}
