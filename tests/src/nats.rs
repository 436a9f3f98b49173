//! A nats-server for an app of a test. The same that the bus itself is tested with.

// What it cannot do ends a test.
#[allow(clippy::expect_used, clippy::missing_panics_doc, dead_code)]
#[path = "../../runtime/bus/tests/conformance/server.rs"]
mod server;

use std::fmt;

use anyhow::Context as _;
use rustix::process::{Pid, Signal};

/// A running server; it ends with this.
pub struct NatsServer(server::Server);

impl NatsServer {
    /// Start one, on a port that the system chooses and with its data in a folder of its own. A test that cannot have
    /// one ends here.
    #[must_use]
    pub fn start() -> Self {
        Self(server::Server::start())
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// Send it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).context("it does not run")?;
        Ok(rustix::process::kill_process(id, signal)?)
    }

    /// Start it again, on the same port and with the same data.
    pub fn restart(&mut self) {
        self.0.restart();
    }
}

impl fmt::Debug for NatsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NatsServer").field(&self.url()).finish()
    }
}
