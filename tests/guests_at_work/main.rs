//! What guests do and what they must not do to anyone but themselves: streams, limits, reuse, calls, the way out.

// A panic of a thread of the test is the test's own.
#![allow(clippy::expect_used)]

mod admission;
mod calls;
mod cancel;
mod egress;
mod failing;
mod fairness;
mod preview1;
mod reuse;
mod streaming;
mod units;

use std::fmt::Write as _;
use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::probe;
use hull_tests::shared::{Running, Shared};

static WORK: Shared = Shared::new(app);

const STORAGE: &str = "key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]";

fn app() -> anyhow::Result<App> {
    let ring = "allowed_outbound_hosts = [\"http://*.internal\"]";
    let tight = "[component.tight.tool.hull.limits]\nmemory = \"16MiB\"\ntime = \"1s\"\n\
        concurrency = 4\nbody-in-max = \"64KiB\"";
    let mut text = probe::application("work");
    for component in [
        probe::component("plain", &format!("{STORAGE}\n{ring}"), ""),
        probe::component("other", &format!("{STORAGE}\n{ring}"), "migrations = \"migrations\""),
        probe::component("tight", STORAGE, tight),
        probe::component(
            "busy",
            "",
            "[component.busy.tool.hull.limits]\ncpu-per-invocation = \"100ms\"\ntime = \"30s\"",
        ),
        probe::component("looping", "", "[component.looping.tool.hull.limits]\ntime = \"60s\""),
        probe::component("serial", "", "reuse = \"serial\""),
        probe::component("few", "", "reuse = \"serial\"\nmax-invocations = 3"),
        probe::component("confined", "allowed_outbound_hosts = [\"http://other.internal\"]", ""),
        asynchronous("async", "reuse = \"concurrent\""),
        asynchronous("async-fresh", ""),
    ] {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{component}");
    }
    let app = App::of_text(&text)?;
    app.write("migrations/1_rows.sql", "CREATE TABLE both_kinds (text TEXT);")?;
    Ok(app)
}

fn asynchronous(name: &str, hull: &str) -> String {
    let granted = "allowed_outbound_hosts = [\"http://*.internal\"]";
    probe::component(name, granted, hull).replace("{probe}", "{probe_p3}")
}

/// The host that most tests share.
fn work() -> anyhow::Result<Arc<Running>> {
    WORK.get()
}
