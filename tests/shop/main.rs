//! The shop, end to end: real HTTP in, durable events between its services, and the provider's ledger to check against.

// A panic of a thread of the test is the test's own.
#![allow(clippy::expect_used)]

mod accounts;
mod cancelling;
mod catalogue;
mod checkout;
mod crash;
mod history;
mod home;
mod on_nats;
mod overdue;
mod placing;
mod secrets;

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::files;
use hull_tests::shared::{Running, Shared};
use hull_tests::shop::{altered, customer, provider_line};

static SHOP: Shared = Shared::new(app);

/// The shop as it is in the project.
fn app() -> anyhow::Result<App> {
    App::of_file(&files::project().join("spin.toml"))
}

/// The shop that most tests share: each has products and customers of its own.
fn shop() -> anyhow::Result<Arc<Running>> {
    SHOP.get()
}
