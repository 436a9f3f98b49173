//! A nats-server of a turn's own, the same that the bus is tested with.

// What it cannot do ends the bench; what only tests ask of it stays.
#[allow(clippy::expect_used, dead_code)]
#[path = "../../../runtime/bus/tests/conformance/server.rs"]
mod server;

pub(crate) use server::Server;
