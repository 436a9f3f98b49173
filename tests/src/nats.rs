//! A nats-server for an app of a test. The same that the bus itself is tested with.

// What it cannot do ends a test.
#[allow(clippy::expect_used, clippy::missing_panics_doc, dead_code)]
#[path = "../../runtime/bus/tests/conformance/server.rs"]
mod server;

use std::fmt;

/// A running server; it ends with this.
pub(crate) struct NatsServer(server::Server);

impl NatsServer {
    pub(crate) fn start() -> Self {
        Self(server::Server::start())
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port()
    }
}

impl fmt::Debug for NatsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NatsServer").field(&self.url()).finish()
    }
}
