//! The pairs of bus and storage that the shop is run on, and the servers that they need. What a pair brings is here
//! alone: the load, the invariants and most faults are the same for all of them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hull_tests::nats::NatsServer;
use hull_tests::postgres::PostgresServer;
use rustix::process::Signal;

use crate::network::Network;

/// The database that is the hosts' on a server for data.
pub(crate) const DATABASE: &str = "hull";

/// A bus and a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    /// The bus in a file, a SQLite file for each component: everything in the state directory of one host.
    EmbeddedSqlite,
    /// The bus on a nats-server, reached over a network; a SQLite file for each component.
    NatsSqlite,
    /// The bus on a nats-server and the data in PostgreSQL, each reached over a network of its own, by two hosts.
    NatsPostgres,
}

/// What a server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The events.
    Bus,
    /// The data of all components.
    Data,
}

impl Pair {
    /// As it is named on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EmbeddedSqlite => "embedded-sqlite",
            Self::NatsSqlite => "nats-sqlite",
            Self::NatsPostgres => "nats-postgres",
        }
    }

    /// How many hosts share the app.
    pub(crate) fn hosts(self) -> usize {
        match self {
            Self::EmbeddedSqlite | Self::NatsSqlite => 1,
            Self::NatsPostgres => 2,
        }
    }

    /// Whether the events lie in the state directory.
    pub(crate) fn has_bus_files(self) -> bool {
        !self.has_server(Role::Bus)
    }

    /// Whether the data lies in the state directory.
    pub(crate) fn has_data_files(self) -> bool {
        !self.has_server(Role::Data)
    }

    /// Whether there is a server of its own for that.
    pub(crate) fn has_server(self, role: Role) -> bool {
        match self {
            Self::EmbeddedSqlite => false,
            Self::NatsSqlite => role == Role::Bus,
            Self::NatsPostgres => true,
        }
    }
}

/// A server of either kind.
#[derive(Debug)]
enum Program {
    Nats(NatsServer),
    Postgres(PostgresServer),
}

/// A server, and the network that leads to it.
#[derive(Debug)]
pub(crate) struct Far {
    program: Program,
    pub(crate) network: Network,
}

impl Far {
    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        match &mut self.program {
            Program::Nats(server) => server.kill(),
            Program::Postgres(server) => server.kill(),
        }
    }

    /// Start it again, with the same data.
    pub(crate) fn restart(&mut self) {
        match &mut self.program {
            Program::Nats(server) => server.restart(),
            Program::Postgres(server) => server.restart(),
        }
    }

    /// Send a signal to all of its processes.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        match &self.program {
            Program::Nats(server) => server.signal(signal),
            Program::Postgres(server) => server.signal(signal),
        }
    }
}

/// The processes that a pair needs beside the hosts, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Servers {
    bus: Option<Far>,
    data: Option<Far>,
    config: PathBuf,
}

impl Servers {
    /// Start them. Events are kept no longer than somebody needs them, so that a run sees them dropped.
    pub(crate) fn start(pair: Pair, folder: &Path) -> anyhow::Result<Self> {
        let mut text = "[bus]\nretain = \"2s\"\n".to_owned();
        let (mut bus, mut data) = (None, None);
        if pair.has_server(Role::Bus) {
            let server = NatsServer::start();
            let network = Network::to(server.port())?;
            writeln!(text, "backend = \"nats\"\nurl = \"nats://{}\"", network.address())?;
            bus = Some(Far { program: Program::Nats(server), network });
        }
        if pair.has_server(Role::Data) {
            let server = PostgresServer::start();
            let (network, url) = (Network::to(server.port())?, server.database(DATABASE));
            let url = url.replace(&format!("127.0.0.1:{}", server.port()), &network.address().to_string());
            writeln!(text, "[storage.default]\nbackend = \"postgres\"\nurl = \"{url}\"")?;
            data = Some(Far { program: Program::Postgres(server), network });
        }
        let config = folder.join("hull.toml");
        std::fs::write(&config, text)?;
        Ok(Self { bus, data, config })
    }

    /// The flags that lead `hull up` to them.
    pub(crate) fn flags(&self) -> Vec<OsString> {
        vec!["--config".into(), self.config.clone().into()]
    }

    /// The one for that.
    pub(crate) fn get(&mut self, role: Role) -> anyhow::Result<&mut Far> {
        let server = match role {
            Role::Bus => &mut self.bus,
            Role::Data => &mut self.data,
        };
        server.as_mut().with_context(|| format!("this pair has no server for its {}", role.name()))
    }

    /// The database server, if there is one.
    pub(crate) fn postgres(&self) -> Option<&PostgresServer> {
        match &self.data.as_ref()?.program {
            Program::Postgres(server) => Some(server),
            Program::Nats(_) => None,
        }
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Bus => "events",
            Self::Data => "data",
        }
    }

    /// What runs on it.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Bus => "nats-server",
            Self::Data => "PostgreSQL",
        }
    }
}
