//! The app whose host most tests share.

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::mail;
use hull_tests::shared::{Running, Shared};

static MAIL: Shared = Shared::new(app);

const PUBLISHES: &str = "publishes = [\"work.>\", \"line.*\", \"ask.*\", \"chain.*\"]";

fn app() -> anyhow::Result<App> {
    let quick = "max-deliver = 3\nbackoff = [\"10ms\", \"20ms\"]";
    let app = mail::app(&[
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
    ])?;
    crate::placed(app)
}

/// The host that most tests share: each uses subjects of its own.
pub(crate) fn mail() -> anyhow::Result<Arc<Running>> {
    MAIL.get()
}
