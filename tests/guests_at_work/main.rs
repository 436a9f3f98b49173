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
/// A unit of work is not what takes too long.
const LONG_UNITS: &str = "transaction-time = \"10s\"";

fn app() -> anyhow::Result<App> {
    let ring = "allowed_outbound_hosts = [\"http://*.internal\"]";
    let limits = |name: &str, lines: &str| format!("[component.{name}.tool.hull.limits]\n{lines}");
    let tight = "memory = \"16MiB\"\ntime = \"5s\"\nconcurrency = 4\nbody-in-max = \"64KiB\"";
    let mut text = probe::application("work");
    for component in [
        probe::component("plain", &format!("{STORAGE}\n{ring}"), &limits("plain", LONG_UNITS)),
        probe::component(
            "other",
            &format!("{STORAGE}\n{ring}"),
            &format!("migrations = \"migrations\"\n{}", limits("other", LONG_UNITS)),
        ),
        probe::component(
            "patient",
            &format!("{STORAGE}\n{ring}"),
            &limits("patient", "transaction-time = \"20s\"\ntime = \"30s\""),
        ),
        probe::component("brief", STORAGE, &limits("brief", "transaction-time = \"1s\"\ntime = \"30s\"")),
        probe::component("tight", STORAGE, &limits("tight", tight)),
        probe::component("busy", "", &limits("busy", "cpu-per-invocation = \"100ms\"\ntime = \"30s\"")),
        probe::component("looping", "", &limits("looping", "time = \"60s\"")),
        probe::component("serial", "", "reuse = \"serial\""),
        probe::component("few", "", "reuse = \"serial\"\nmax-invocations = 3"),
        probe::component("confined", "allowed_outbound_hosts = [\"http://other.internal\"]", ""),
        asynchronous("async", &format!("reuse = \"concurrent\"\n{}", limits("async", "concurrency = 1024"))),
        asynchronous("async-fresh", &limits("async-fresh", "concurrency = 128")),
        asynchronous("async-serial", "reuse = \"serial\""),
        // What fails takes its instance along, and whoever else is in it.
        asynchronous("async-trapping", "reuse = \"concurrent\""),
        asynchronous("async-looping", "reuse = \"concurrent\""),
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
