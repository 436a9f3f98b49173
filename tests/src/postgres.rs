//! A PostgreSQL server for an app of a test. The same that the storage itself is tested with.

// What it cannot do ends a test.
#[allow(clippy::expect_used, clippy::missing_panics_doc, dead_code)]
#[path = "../../host-apis/storage/tests/storage/postgres.rs"]
mod server;

use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use rustix::process::{Pid, Signal};

/// A running server; it ends with this.
pub struct PostgresServer(server::Server);

impl PostgresServer {
    /// Start one, on a free port and with its data in a folder of its own. A test that cannot have one ends here.
    #[must_use]
    pub fn start() -> Self {
        Self(server::Server::start())
    }

    /// One that takes TLS, with this certificate and its key.
    #[must_use]
    pub fn start_with_tls(certificate: &Path, key: &Path) -> Self {
        Self(server::Server::start_with_tls(certificate, key))
    }

    /// Make a database that is Hull's; its URL.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        self.0.database(name)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Run SQL as the superuser; what it prints, a line a row.
    #[must_use]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.0.sql(database, sql)
    }

    /// Write all of a database into a file, as SQL.
    pub fn dump(&self, database: &str, file: &Path) {
        self.0.dump(database, file);
    }

    /// Send a signal to all of its processes: first to the one that starts the others.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        for id in self.0.processes() {
            let id = i32::try_from(id).ok().and_then(Pid::from_raw).context("no process id")?;
            match rustix::process::kill_process(id, signal) {
                // One that served a connection which has ended meanwhile.
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// Start it again, on the same port and with the same data.
    pub fn restart(&mut self) {
        self.0.restart();
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresServer").field(&self.port()).finish()
    }
}
