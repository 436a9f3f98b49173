//! Events end to end: published by guests and from outside, handled at least once with an effect of exactly once, retried,
//! set aside, replayed.

mod chains;
mod dead_letters;
mod delivery;
mod publishing;
mod requests;
mod restart;

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::mail;
use hull_tests::shared::{Running, Shared};

static MAIL: Shared = Shared::new(app);

const PUBLISHES: &str = "publishes = [\"work.>\", \"line.*\", \"ask.*\", \"chain.*\"]";

fn app() -> anyhow::Result<App> {
    let quick = "max-deliver = 3\nbackoff = [\"10ms\", \"20ms\"]";
    mail::app(&[
        mail::handler(
            "sender",
            "subjects = [\"none\"]",
            &format!("{PUBLISHES}\n[component.sender.tool.hull.limits.messages]\nsize-max = \"64KiB\""),
        ),
        mail::handler(
            "frugal",
            "subjects = [\"nothing\"]",
            &format!("{PUBLISHES}\n[component.frugal.tool.hull.limits.messages]\nrate = \"2/h\""),
        ),
        mail::handler("worker", &format!("subjects = [\"work.*\"]\n{quick}"), ""),
        mail::handler("witness", &format!("subjects = [\"work.>\"]\n{quick}"), ""),
        mail::handler("queue", &format!("subjects = [\"line.*\"]\nordered = true\n{quick}"), ""),
        mail::handler("oracle", &format!("subjects = [\"ask.*\"]\n{quick}"), ""),
        mail::handler("ping", &format!("subjects = [\"chain.ping\"]\n{quick}"), PUBLISHES),
        mail::handler("pong", &format!("subjects = [\"chain.pong\"]\n{quick}"), PUBLISHES),
    ])
}

/// The host that most tests share: each uses subjects of its own.
fn mail() -> anyhow::Result<Arc<Running>> {
    MAIL.get()
}
