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
        handler("sender", "subjects = [\"none\"]", PUBLISHES, "messages = { size-max = \"64KiB\" }"),
        handler("frugal", "subjects = [\"nothing\"]", PUBLISHES, "messages = { rate = \"2/h\" }"),
        handler("worker", &format!("subjects = [\"work.*\"]\n{quick}"), "", ""),
        handler("witness", &format!("subjects = [\"work.>\"]\n{quick}"), "", ""),
        handler("queue", &format!("subjects = [\"line.*\"]\nordered = true\n{quick}"), "", ""),
        handler("oracle", &format!("subjects = [\"ask.*\"]\n{quick}"), "", ""),
        handler("ping", &format!("subjects = [\"chain.ping\"]\n{quick}"), PUBLISHES, ""),
        handler("pong", &format!("subjects = [\"chain.pong\"]\n{quick}"), PUBLISHES, ""),
    ])?;
    crate::placed(app)
}

/// A handler whose unit of work is not what takes too long; `limits` is for its limits.
pub(crate) fn handler(name: &str, trigger: &str, hull: &str, limits: &str) -> String {
    let limits = format!("[component.{name}.tool.hull.limits]\ntransaction-time = \"10s\"\n{limits}");
    mail::handler(name, trigger, &format!("{hull}\n{limits}"))
}

/// The host that most tests share: each uses subjects of its own.
pub(crate) fn mail() -> anyhow::Result<Arc<Running>> {
    MAIL.get()
}
