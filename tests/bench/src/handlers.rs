//! Who handles events in the event bench, over which bus and into which database; each turn with servers and data of its
//! own. Another bus or database is a word here, a section of `hull.toml`, and a [`Witness`] that can read it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::nats::Server;
use crate::process::{Process, Ready};
use crate::publisher::Target;
use crate::witness::Witness;
use crate::{app, components, stage};

/// Where the component's migrations are, below the project's root.
const MIGRATIONS: &str = "components/scribe/migrations";
/// Events that are out at once.
const AT_ONCE: usize = 64;

/// Where events wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    /// The host's own.
    Embedded {
        /// Whether a publish waits for the disk.
        sync: bool,
    },
    /// A nats-server.
    Nats,
}

/// Who handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// async-nats and rusqlite.
    Native,
    /// A component in a host.
    Hull(Bus),
}

/// A handler at work.
pub(crate) struct Running {
    // In this order: who handles ends before its server, and both before their files go.
    _process: Process,
    _server: Option<Server>,
    folder: TempDir,
    /// Where its events are published.
    pub(crate) target: Target,
    database: PathBuf,
}

impl Handler {
    /// As the table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native, NATS + SQLite",
            Self::Hull(Bus::Nats) => "hull, NATS + SQLite",
            Self::Hull(Bus::Embedded { sync: true }) => "hull, embedded + SQLite",
            Self::Hull(Bus::Embedded { sync: false }) => "hull, embedded without sync + SQLite",
        }
    }

    /// Start it, with nothing in its bus and database. What the host has compiled before is in `code`.
    pub(crate) fn start(self, programs: &Path, code: &Path) -> anyhow::Result<Running> {
        let folder = tempfile::tempdir().context("cannot make a folder for a turn")?;
        let server = (self == Self::Native || self == Self::Hull(Bus::Nats)).then(Server::start);
        let url = server.as_ref().map(Server::url);
        let (process, target, database) = match self {
            Self::Native => {
                let (url, database) = (url.context("no server")?, folder.path().join("data.db"));
                let mut command = Command::new(programs.join("hull-bench-native-events"));
                command.arg(&url).arg(&database);
                (Process::start(command, Ready::JsonOnStdout)?, Target::Nats(url), database)
            }
            Self::Hull(bus) => hull(bus, url, programs, folder.path(), code)?,
        };
        Ok(Running { _process: process, _server: server, folder, target, database })
    }
}

impl Running {
    /// Who sees what it has handled.
    pub(crate) fn witness(&self) -> anyhow::Result<Witness> {
        Witness::of_sqlite(&self.folder.path().join(&self.database))
    }
}

fn hull(
    bus: Bus,
    url: Option<String>,
    programs: &Path,
    folder: &Path,
    code: &Path,
) -> anyhow::Result<(Process, Target, PathBuf)> {
    let backend = match (bus, &url) {
        (Bus::Nats, url) => format!("backend = \"nats\"\nurl = \"{}\"", url.as_deref().unwrap_or_default()),
        (Bus::Embedded { sync }, _) => format!("backend = \"embedded\"\nsync = {sync}"),
    };
    let config = folder.join("hull.toml");
    std::fs::write(&config, format!("[bus]\n{backend}\n"))?;
    let state = folder.join("state");
    stage::copy_all(Path::new(MIGRATIONS), &folder.join("migrations"))?;
    stage::copy_all(code, &state.join("cache"))?;
    let process =
        app::up_with(&programs.join("hull"), folder, &manifest()?, &["--config", &config.display().to_string()])?;
    stage::copy_all(&state.join("cache"), code)?;
    let target = if let Some(url) = url {
        Target::Nats(url)
    } else {
        let token = std::fs::read_to_string(state.join("admin-token")).context("there is no token")?;
        Target::Admin(process.admin.context("no admin address")?, token.trim().to_owned())
    };
    Ok((process, target, state.join("apps/bench/scribe/data.db")))
}

fn manifest() -> anyhow::Result<String> {
    Ok(format!(
        r#"spin_manifest_version = 2
[application]
name = "bench"
version = "1.0.0"

[[trigger.messaging]]
component = "scribe"
subjects = ["work.item"]
[component.scribe]
source = "{source}"
sqlite_databases = ["default"]
[component.scribe.tool.hull]
migrations = "migrations"
[component.scribe.tool.hull.limits]
concurrency = {AT_ONCE}
consumers = {AT_ONCE}
"#,
        source = components::built("scribe")?.display(),
    ))
}
