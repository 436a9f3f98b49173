//! The strangler fig through the real binary: a monolith that knows nothing of Hull keeps its routes, and what is extracted
//! from it takes them over share by share.

// A panic of a thread of the test is the test's own.
#![allow(clippy::expect_used)]

mod failing;
mod monolith;
mod parallel;
mod passing;
mod split;

use hull_tests::probe;

/// An app with one upstream, and a component beside it.
fn manifest(url: &str, upstream: &str, more: &str) -> String {
    let grants = "allowed_outbound_hosts = [\"http://*.internal\"]";
    format!(
        "{}[application.tool.hull.upstreams.monolith]\nurl = \"{url}\"\n{upstream}\n{more}\n{}",
        probe::application("fig"),
        probe::component("orders", grants, "")
    )
}
