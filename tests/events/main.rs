//! Events end to end: published by guests and from outside, handled at least once with an effect of exactly once, retried,
//! set aside, replayed.

mod chains;
mod dead_letters;
mod delivery;
mod figures;
mod later;
mod post;
mod publishing;
mod requests;
mod restart;
mod tailing;

use hull_tests::app::App;

pub(crate) use post::mail;

/// Where the app's events are: on the embedded bus.
#[allow(clippy::unnecessary_wraps)] // As on the other bus.
fn placed(app: App) -> anyhow::Result<App> {
    Ok(app)
}
