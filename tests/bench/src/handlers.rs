//! Who handles events in the event bench, over which bus and into which database; each turn with servers and data of its
//! own. Another bus or database is a word here, a section of `hull.toml`, and a [`Witness`] that can read it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::process::{Process, Ready};
use crate::publisher::Target;
use crate::witness::Witness;
use crate::{app, components, nats, postgres, stage};

/// Where the component's migrations are, below the project's root.
const MIGRATIONS: &str = "components/scribe/migrations";
/// Events that are out at once.
const AT_ONCE: usize = 64;
/// The database on a server.
const DATABASE: &str = "bench";

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

/// Where what is handled is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// Who handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// async-nats, and rusqlite or tokio-postgres.
    Native(Store),
    /// A component in a host.
    Hull(Bus, Store),
    /// The same on NATS and SQLite with one sandbox for many events, instead of a fresh one for each.
    HullSerial,
}

/// How a witness gets at what was written.
#[derive(Debug)]
enum Written {
    File(PathBuf),
    /// The URL of the superuser, and the schema.
    Server(String, &'static str),
}

/// A handler at work.
pub(crate) struct Running {
    // In this order: who handles ends before its server, and both before their files go.
    _process: Process,
    _nats: Option<nats::Server>,
    _postgres: Option<postgres::Server>,
    _folder: TempDir,
    /// Where its events are published.
    pub(crate) target: Target,
    written: Written,
}

impl Handler {
    /// As the table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native(Store::Sqlite) => "native, NATS + SQLite",
            Self::Native(Store::Postgres) => "native, NATS + PostgreSQL",
            Self::Hull(Bus::Nats, Store::Sqlite) => "hull, NATS + SQLite",
            Self::Hull(Bus::Nats, Store::Postgres) => "hull, NATS + PostgreSQL",
            Self::HullSerial => "hull, NATS + SQLite, reuse = serial",
            Self::Hull(Bus::Embedded { sync: true }, Store::Sqlite) => "hull, embedded + SQLite",
            Self::Hull(Bus::Embedded { sync: false }, Store::Sqlite) => "hull, embedded without sync + SQLite",
            Self::Hull(Bus::Embedded { .. }, Store::Postgres) => "hull, embedded + PostgreSQL",
        }
    }

    /// Where it writes.
    pub(crate) fn store(self) -> Store {
        match self {
            Self::Native(store) | Self::Hull(_, store) => store,
            Self::HullSerial => Store::Sqlite,
        }
    }

    /// Start it, with nothing in its bus and database. What the host has compiled before is in `code`.
    pub(crate) fn start(self, programs: &Path, code: &Path) -> anyhow::Result<Running> {
        let folder = tempfile::tempdir().context("cannot make a folder for a turn")?;
        let bus = match self {
            Self::Native(_) | Self::HullSerial => Bus::Nats,
            Self::Hull(bus, _) => bus,
        };
        let nats = (bus == Bus::Nats).then(nats::Server::start);
        let postgres = (self.store() == Store::Postgres).then(postgres::Server::start);
        let url = nats.as_ref().map(nats::Server::url);
        let database = postgres.as_ref().map(|server| server.database(DATABASE));
        let (process, target) = match self {
            Self::Native(_) => {
                let url = url.context("no server")?;
                let mut command = Command::new(programs.join("hull-bench-native-events"));
                let database = database.map_or_else(|| folder.path().join("data.db").into(), OsString::from);
                command.arg(&url).arg(database);
                (Process::start(command, Ready::JsonOnStdout)?, Target::Nats(url))
            }
            Self::Hull(..) | Self::HullSerial => {
                let config = config(bus, url.as_deref(), database.as_deref());
                let reuse = if self == Self::HullSerial { "serial" } else { "never" };
                hull(&config, &manifest(reuse)?, url, programs, folder.path(), code)?
            }
        };
        let (file, schema) = match self {
            Self::Native(_) => ("data.db", "public"),
            Self::Hull(..) | Self::HullSerial => ("state/apps/bench/scribe/data.db", "bench/scribe"),
        };
        let file = folder.path().join(file);
        let superuser =
            |server: &postgres::Server| format!("postgres://postgres:postgres@127.0.0.1:{}/{DATABASE}", server.port());
        let written =
            postgres.as_ref().map_or(Written::File(file), |server| Written::Server(superuser(server), schema));
        Ok(Running { _process: process, _nats: nats, _postgres: postgres, _folder: folder, target, written })
    }
}

impl Running {
    /// Who sees what it has handled.
    pub(crate) fn witness(&self) -> anyhow::Result<Witness> {
        match &self.written {
            Written::File(file) => Witness::of_sqlite(file),
            Written::Server(url, schema) => Witness::of_postgres(url, schema),
        }
    }
}

fn config(bus: Bus, url: Option<&str>, database: Option<&str>) -> String {
    let bus = match bus {
        Bus::Nats => format!("backend = \"nats\"\nurl = \"{}\"", url.unwrap_or_default()),
        Bus::Embedded { sync } => format!("backend = \"embedded\"\nsync = {sync}"),
    };
    let storage = database.map(|url| format!("[storage.default]\nbackend = \"postgres\"\nurl = \"{url}\"\n"));
    format!("[bus]\n{bus}\n{}", storage.unwrap_or_default())
}

fn hull(
    text: &str,
    manifest: &str,
    url: Option<String>,
    programs: &Path,
    folder: &Path,
    code: &Path,
) -> anyhow::Result<(Process, Target)> {
    let config = folder.join("hull.toml");
    std::fs::write(&config, text)?;
    let state = folder.join("state");
    stage::copy_all(Path::new(MIGRATIONS), &folder.join("migrations"))?;
    stage::copy_all(code, &state.join("cache"))?;
    let process = app::up_with(&programs.join("hull"), folder, manifest, &["--config", &config.display().to_string()])?;
    stage::copy_all(&state.join("cache"), code)?;
    let target = if let Some(url) = url {
        Target::Nats(url)
    } else {
        let token = std::fs::read_to_string(state.join("admin-token")).context("there is no token")?;
        Target::Admin(process.admin.context("no admin address")?, token.trim().to_owned())
    };
    Ok((process, target))
}

fn manifest(reuse: &str) -> anyhow::Result<String> {
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
reuse = "{reuse}"
[component.scribe.tool.hull.limits]
concurrency = {AT_ONCE}
consumers = {AT_ONCE}
"#,
        source = components::built("scribe")?.display(),
    ))
}
