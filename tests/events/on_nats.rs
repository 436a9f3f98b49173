//! What `main.rs` tests on the embedded bus, on a real nats-server: the same words, another bus.

mod chains;
mod dead_letters;
mod delivery;
mod figures;
mod later;
mod plain;
mod post;
mod publishing;
mod requests;
mod restart;
mod tailing;

use hull_tests::app::App;

pub(crate) use post::mail;

/// Where the app's events are: on a server of its own.
fn placed(app: App) -> anyhow::Result<App> {
    app.on_nats()
}
