//! The pairs of bus and storage that the shop is run on, and the servers that they need. What a pair brings is here
//! alone: the load, the invariants and most faults are the same for all of them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hull_tests::nats::NatsServer;

use crate::network::Network;

/// A bus and a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    /// The bus in a file, a SQLite file for each component: everything in the state directory of one host.
    EmbeddedSqlite,
    /// The bus on a nats-server, reached over a network; a SQLite file for each component.
    NatsSqlite,
}

impl Pair {
    /// As it is named on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EmbeddedSqlite => "embedded-sqlite",
            Self::NatsSqlite => "nats-sqlite",
        }
    }

    /// Whether an app has one host at a time.
    pub(crate) fn has_one_host(self) -> bool {
        match self {
            Self::EmbeddedSqlite | Self::NatsSqlite => true,
        }
    }

    /// Whether the events lie in the state directory.
    pub(crate) fn has_bus_files(self) -> bool {
        match self {
            Self::EmbeddedSqlite => true,
            Self::NatsSqlite => false,
        }
    }

    /// Whether the events are on a server of their own.
    pub(crate) fn has_bus_server(self) -> bool {
        match self {
            Self::EmbeddedSqlite => false,
            Self::NatsSqlite => true,
        }
    }
}

/// A server that holds the events, and the network that leads to it.
#[derive(Debug)]
pub(crate) struct BusServer {
    pub(crate) server: NatsServer,
    pub(crate) network: Network,
}

/// The processes that a pair needs beside the host, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) bus: Option<BusServer>,
    config: PathBuf,
}

impl Servers {
    /// Start them. Events are kept no longer than somebody needs them, so that a run sees them dropped.
    pub(crate) fn start(pair: Pair, folder: &Path) -> anyhow::Result<Self> {
        let mut text = "[bus]\nretain = \"2s\"\n".to_owned();
        let bus = if pair.has_bus_server() {
            let server = NatsServer::start();
            let network = Network::to(server.port())?;
            writeln!(text, "backend = \"nats\"\nurl = \"nats://{}\"", network.address())?;
            Some(BusServer { server, network })
        } else {
            None
        };
        let config = folder.join("hull.toml");
        std::fs::write(&config, text)?;
        Ok(Self { bus, config })
    }

    /// The flags that lead `hull up` to them.
    pub(crate) fn flags(&self) -> Vec<OsString> {
        vec!["--config".into(), self.config.clone().into()]
    }
}
