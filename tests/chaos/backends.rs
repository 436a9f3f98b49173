//! The pairs of bus and storage that the shop is run on, and the servers that they need. What a pair brings is here
//! alone: the load, the invariants and most faults are the same for all of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A bus and a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    /// The bus in a file, a SQLite file for each component: everything in the state directory of one host.
    EmbeddedSqlite,
}

impl Pair {
    /// As it is named on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EmbeddedSqlite => "embedded-sqlite",
        }
    }

    /// What the host's configuration says of it. Events are kept no longer than somebody needs them, so that a run sees
    /// them dropped.
    fn config(self) -> &'static str {
        match self {
            Self::EmbeddedSqlite => "[bus]\nretain = \"2s\"\n",
        }
    }

    /// Whether an app has one host at a time.
    pub(crate) fn has_one_host(self) -> bool {
        match self {
            Self::EmbeddedSqlite => true,
        }
    }

    /// Whether the events lie in the state directory.
    pub(crate) fn has_bus_files(self) -> bool {
        match self {
            Self::EmbeddedSqlite => true,
        }
    }
}

/// The processes that a pair needs beside the host, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Servers {
    config: PathBuf,
}

impl Servers {
    /// Start them, with everything they keep in that folder.
    pub(crate) fn start(pair: Pair, folder: &Path) -> anyhow::Result<Self> {
        let config = folder.join("hull.toml");
        std::fs::write(&config, pair.config())?;
        Ok(Self { config })
    }

    /// The flags that lead `hull up` to them.
    pub(crate) fn flags(&self) -> Vec<OsString> {
        vec!["--config".into(), self.config.clone().into()]
    }
}
