//! The shop, end to end: real HTTP in, durable events between its services, and the provider's ledger to check against.

// A panic of a thread of the test is the test's own.
#![allow(clippy::expect_used)]

mod accounts;
mod catalogue;
mod checkout;
mod crash;
mod customer;
mod history;
mod home;
mod overdue;
mod placing;
mod provider_line;
mod secrets;

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::files;
use hull_tests::shared::{Running, Shared};

static SHOP: Shared = Shared::new(app);

/// The shop as it is in the project.
fn app() -> anyhow::Result<App> {
    App::of_file(&files::project().join("spin.toml"))
}

/// The shop with some of its manifest replaced.
fn altered(changes: &[(&str, &str)]) -> anyhow::Result<App> {
    let project = files::project();
    let mut text = std::fs::read_to_string(project.join("spin.toml"))?;
    for (from, to) in changes {
        anyhow::ensure!(text.matches(from).count() == 1, "{from:?} is not once in the manifest of the shop");
        text = text.replace(from, to);
    }
    let app = App::of_text(&text)?;
    std::os::unix::fs::symlink(project.join("components"), app.folder().join("components"))?;
    Ok(app)
}

/// The shop that most tests share: each has products and customers of its own.
fn shop() -> anyhow::Result<Arc<Running>> {
    SHOP.get()
}
