//! What `main.rs` tests on SQLite, with the data of all services in a real PostgreSQL: the same words, another storage.

// A panic of a thread of the test is the test's own.
#![allow(clippy::expect_used)]

mod accounts;
mod cancelling;
mod catalogue;
mod checkout;
mod crash;
mod history;
mod home;
mod placing;
mod server_killed;
mod two_hosts;

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::shared::{Running, Shared};
use hull_tests::shop::{customer, provider_line};

static SHOP: Shared = Shared::new(app);

/// The shop, on a server of its own.
fn app() -> anyhow::Result<App> {
    altered(&[])
}

/// The same with some of its manifest replaced.
fn altered(changes: &[(&str, &str)]) -> anyhow::Result<App> {
    hull_tests::shop::altered(changes)?.on_postgres()
}

/// The shop that most tests share: each has products and customers of its own.
fn shop() -> anyhow::Result<Arc<Running>> {
    SHOP.get()
}
