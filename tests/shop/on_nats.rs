//! `cargo xtask up --nats`, as the README has it: the shop on a real nats-server, and a client of NATS that knows
//! nothing of Hull.

use std::process::Command;

use anyhow::Context as _;
use async_nats::jetstream;
use futures::StreamExt as _;
use hull_tests::cache;
use hull_tests::files;
use hull_tests::host::Host;
use hull_tests::shop::customer::{ledger, notifications, order_of, place, product, settled, statuses, user};
use hull_tests::wait;
use serde_json::json;

/// What cargo tells a test of itself: build scripts that watch it would run again.
const ABOUT_THIS_PACKAGE: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"];

#[test]
fn up_nats_runs_the_shop_for_any_client_of_nats() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let state_dir = folder.path().join("state");
    cache::lend(&state_dir)?;
    let host = Host::start(up_nats(&state_dir), &state_dir)?;
    let said = host.said();
    let address = said.split_whitespace().find(|word| word.starts_with("nats://")).context("no address of NATS")?;
    let address = address.trim_end_matches(';').to_owned();

    let client = host.client();
    let (ada, lamp) = (user(&client)?, product(&client, 1_999, 10)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let outside = runtime.block_on(async_nats::connect(&address))?;
    let mut heard = runtime.block_on(async {
        let heard = outside.subscribe("hull.shop.orders.confirmed").await?;
        outside.flush().await?;
        anyhow::Ok(heard)
    })?;
    let order = place(&client, &order_of(&ada, &lamp, 3, "tok_ok"))?;
    settled(&client, &order, "confirmed", &lamp)?;
    assert_eq!(statuses(&ledger(&client, &order)?), ["charged"]);
    assert_eq!(notifications(&client, &ada, 1)?[0]["orderId"], json!(order));
    let confirmed = runtime.block_on(async { tokio::time::timeout(wait::PATIENCE, heard.next()).await })?;
    let confirmed = confirmed.context("the subscription has ended")?;
    let headers = confirmed.headers.as_ref().context("no headers")?;
    assert_eq!(headers.get("ce-type").map(async_nats::HeaderValue::as_str), Some("orders.confirmed"));
    assert!(String::from_utf8_lossy(&confirmed.payload).contains(&order), "{confirmed:?}");

    let event = |order: &str| {
        let event = json!({"orderId": order, "userId": "grace", "totalCents": 1_999, "currency": "EUR"});
        event.to_string().into()
    };
    runtime.block_on(async {
        // What `nats pub` does, and what those do that wait until their event is kept.
        outside.publish("hull.shop.orders.confirmed", event("plain")).await?;
        outside.flush().await?;
        let stream = jetstream::new(outside.clone());
        let ack = stream.publish("hull.shop.orders.confirmed", event("acknowledged")).await?.await?;
        anyhow::ensure!(ack.stream == "hull-shop", "{ack:?}");
        anyhow::Ok(())
    })?;
    let told = notifications(&client, "grace", 2)?;
    let mut orders: Vec<_> = told.iter().filter_map(|one| one["orderId"].as_str()).collect();
    orders.sort_unstable();
    assert_eq!(orders, ["acknowledged", "plain"]);

    host.stop()?;
    let address = address.trim_start_matches("nats://").to_owned();
    wait::until("nats-server to end with the shop", || {
        Ok(std::net::TcpStream::connect(&address).is_err().then_some(()))
    })
}

fn up_nats(state_dir: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "--package", "xtask", "--", "up", "--nats", "--", "--json"]);
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state-dir"]).arg(state_dir);
    for (name, _) in std::env::vars() {
        if ABOUT_THIS_PACKAGE.iter().any(|begin| name.starts_with(begin)) {
            command.env_remove(name);
        }
    }
    command.env_remove("HULL_ADMIN").env_remove("HULL_TOKEN").current_dir(files::project());
    command
}
