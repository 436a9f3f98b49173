//! Where neighbours and overload are measured: an app of the shop's `products`, of an attacker and of a worker in a
//! compartment, hosts that run it, each with data of its own, and the requests to the victim.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::clients::{Pace, Plan};
use crate::connection::{Request, request};
use crate::process::{Process, Ready};
use crate::{app, attacks, components, exchange, overload, silent};

/// Connections that ask the victim.
pub(crate) const CONNECTIONS: usize = 16;
/// How long answers are waited for when the last request is out.
const DRAIN: Duration = Duration::from_secs(10);
/// Connections are opened and code is warm before anything counts.
const WARM_UP: Duration = Duration::from_millis(500);
/// What stands in the manifest for the victim's reserve.
const RESERVE: &str = "RESERVE";
/// Nothing is reserved, as for every component that does not ask for it.
pub(crate) const NO_RESERVE: &str = "0%";
/// Where the shop's migrations are, below the project's root.
const MIGRATIONS: &str = "components/products/migrations";

/// All that is needed to start hosts with a victim.
pub(crate) struct Stage {
    programs: PathBuf,
    work: TempDir,
    manifest: String,
    /// The server that never answers.
    pub(crate) silent: SocketAddr,
}

/// A host and what it holds; its data goes with it.
pub(crate) struct Host {
    /// The process.
    pub(crate) process: Process,
    /// What asks for the one product there is.
    pub(crate) request: Request,
    /// What the answer to that says.
    pub(crate) product: String,
    _folder: TempDir,
}

impl Stage {
    /// Prepare it.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        let programs = std::env::current_exe().context("cannot tell where this program is")?;
        let programs = programs.parent().context("this program is in no folder")?.to_owned();
        let work = tempfile::tempdir().context("cannot make a folder for the measurements")?;
        let silent = silent::start()?;
        let manifest = manifest(silent)?;
        Ok(Self { programs, work, manifest, silent })
    }

    /// The program that is measured.
    pub(crate) fn hull(&self) -> PathBuf {
        self.programs.join("hull")
    }

    /// A folder that goes when it is dropped.
    pub(crate) fn folder(&self) -> anyhow::Result<TempDir> {
        tempfile::tempdir_in(self.work.path()).context("cannot make a folder for a host")
    }

    /// A host with one product, whose component has this reserved of the CPU. What an earlier one has compiled is lent to
    /// it.
    pub(crate) fn host(&self, reserve: &str, flags: &[&str]) -> anyhow::Result<Host> {
        let folder = self.folder()?;
        let migrations = folder.path().join("migrations");
        copy_all(Path::new(MIGRATIONS), &migrations)?;
        let (code, own_code) = (self.work.path().join("code"), folder.path().join("state/cache"));
        fs::create_dir_all(&code)?;
        copy_all(&code, &own_code)?;
        let process = app::up_with(&self.hull(), folder.path(), &self.manifest.replace(RESERVE, reserve), flags)?;
        copy_all(&own_code, &code)?;
        let entry = r#"{"name":"Lantern","description":"It burns all night.","category":"light","priceCents":4200}"#;
        let product = exchange::create(process.address, "/api/products", entry)?;
        let parsed: serde_json::Value = serde_json::from_str(&product).context("the product is not JSON")?;
        let id = parsed.get("id").and_then(serde_json::Value::as_str).context("the product has no id")?;
        let request = request("GET", &format!("/api/products/{id}"), "");
        Ok(Host { process, request, product, _folder: folder })
    }

    /// A native server in a process of its own that answers any request with `body`.
    pub(crate) fn native(&self, body: &str) -> anyhow::Result<Process> {
        let mut command = Command::new(self.programs.join("hull-bench-native"));
        command.arg(body);
        Process::start(command, Ready::JsonOnStdout)
    }
}

/// Requests for one product, at a rate.
pub(crate) fn victim_plan(address: SocketAddr, request: &Request, per_second: f64, measured: Duration) -> Plan {
    Plan {
        address,
        connections: CONNECTIONS,
        pace: Pace::Open(per_second),
        beat: Duration::ZERO,
        requests: vec![request.clone()],
        warm_up: WARM_UP,
        measured,
        drain: DRAIN,
        is_strict: false,
    }
}

fn manifest(silent: SocketAddr) -> anyhow::Result<String> {
    let (products, probe) = (components::built("products")?, components::test_guest("probe")?);
    Ok(format!(
        r#"spin_manifest_version = 2
[application]
name = "bench"
version = "1.0.0"

[application.tool.hull.bulkheads.work]
instances = {at_once}
concurrency = {at_once}
queue = {{ length = {waiting}, wait = "250ms" }}

[[trigger.http]]
route = "/api/products/..."
component = "products"
[component.products]
source = "{products}"
sqlite_databases = ["default"]
[component.products.tool.hull]
migrations = "migrations"
reserve = {{ cpu = "{RESERVE}" }}

[[trigger.http]]
route = "/attacker/..."
component = "attacker"
[[trigger.messaging]]
component = "attacker"
subjects = ["storm.*"]
[component.attacker]
source = "{probe}"
key_value_stores = ["default"]
allowed_outbound_hosts = ["http://{silent}"]
[component.attacker.tool.hull]
publishes = ["storm.*"]
[component.attacker.tool.hull.limits]
concurrency = {concurrency}

[[trigger.http]]
route = "/worker/..."
component = "worker"
[component.worker]
source = "{probe}"
[component.worker.tool.hull]
bulkhead = "work"
"#,
        products = products.display(),
        probe = probe.display(),
        concurrency = attacks::CONCURRENCY,
        at_once = overload::AT_ONCE,
        waiting = overload::WAITING,
    ))
}

/// Copy every file of a folder into another one; those that are there stay.
pub(crate) fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let file = entry?.path();
        let target = to.join(file.file_name().unwrap_or_default());
        if !target.exists() {
            fs::copy(&file, &target).with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(())
}
