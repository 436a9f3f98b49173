//! Opens the bus that `hull.toml` names, and says on it which apps are this host's alone. Nothing above knows which bus
//! it is.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hull_bus::{Bus, BusError, EmbeddedBus, EmbeddedOptions, NatsBus, NatsOptions};
use hull_manifest::{App, BusBackend, Host, Name, Storage};
use hull_storage::{StateDir, StateDirError};

use crate::durable;
use crate::node::NodeError;

/// Open it. A NATS server that cannot be reached is waited for in the background; one that refuses is an error.
pub(crate) async fn open(bus: &hull_manifest::Bus, state_dir: &StateDir) -> Result<Arc<dyn Bus>, NodeError> {
    let retain = bus.retain;
    match &bus.backend {
        BusBackend::Embedded { sync } => {
            let (_, directory) = state_dir.folder("bus")?;
            let options = EmbeddedOptions { retain, sync: *sync, ..EmbeddedOptions::new(directory) };
            Ok(Arc::new(EmbeddedBus::open(options).await?))
        }
        BusBackend::Nats { url, credentials, ca, identity, replicas } => {
            let options = NatsOptions {
                credentials: credentials.as_ref().map(PathBuf::from),
                ca: ca.as_ref().map(PathBuf::from),
                identity: identity.as_ref().map(|one| (PathBuf::from(&one.cert), PathBuf::from(&one.key))),
                replicas: replicas.get() as usize,
                retain,
                ..NatsOptions::new(url.expose())
            };
            Ok(Arc::new(NatsBus::open(options).await?))
        }
    }
}

/// The file in the state directory with what this host calls itself on the bus: it is the same host for as long as it
/// has the same data.
const HOST_ID_FILE: &str = "host-id";

/// Which apps cannot run on another host as well.
pub(crate) struct Ownership {
    owner: String,
    stores: BTreeMap<Name, Storage>,
}

impl Ownership {
    /// Of the host with this state directory.
    pub(crate) fn of(host: &Host, state_dir: &StateDir) -> Result<Self, NodeError> {
        let path = state_dir.path().join(HOST_ID_FILE);
        let owner = host_id(&path).map_err(|source| NodeError::StateDir(StateDirError::Io { path, source }))?;
        Ok(Self { owner, stores: host.storage.clone() })
    }

    /// Claim the app, if a component of it has its data in files of this host: its marks of handled events are there.
    pub(crate) async fn claim(&self, bus: &dyn Bus, app: &App) -> Result<(), BusError> {
        if self.is_of_one_host(app) {
            bus.claim(app.name.as_str(), &self.owner).await?;
        }
        Ok(())
    }

    /// Claim an app to delete what is left of it, wherever its data is.
    pub(crate) async fn claim_to_purge(&self, bus: &dyn Bus, app: &Name) -> Result<(), BusError> {
        bus.claim(app.as_str(), &self.owner).await
    }

    fn is_of_one_host(&self, app: &App) -> bool {
        let is_here = |storage: &Name| self.stores.get(storage).is_none_or(|store| *store == Storage::Sqlite);
        app.components.iter().any(|component| is_here(&component.hull.storage))
    }
}

/// The id in the file, or a new one. A crash or a full disk leaves the whole id or none: half of one might be another's.
fn host_id(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(owner) if !owner.trim().is_empty() => return Ok(owner.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let owner = hull_clock::time_ordered_id().to_string();
    durable::write(path, owner.as_bytes())?;
    Ok(owner)
}

#[cfg(test)]
mod tests {
    use hull_manifest::{App, Host, Reading};

    use super::{Ownership, host_id};

    #[test]
    fn only_an_app_whose_data_is_all_on_servers_may_have_several_hosts() {
        let on_a_server = "backend = \"postgres\"\nurl = \"postgres://hull@db/hull\"\n";
        for (host, of_one_host) in [
            (String::new(), true),
            (format!("[storage.default]\n{on_a_server}"), true),
            (format!("[storage.other]\n{on_a_server}"), true),
            (format!("[storage.default]\n{on_a_server}[storage.other]\n{on_a_server}"), false),
        ] {
            let parsed = Host::parse(&format!("{host}[storage.files]\n"), "hull.toml").expect("a configuration");
            let text = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/\"\n\
                        component = \"a\"\n[component.a]\nsource = \"a.wasm\"\n[component.b]\nsource = \"b.wasm\"\n\
                        [component.b.tool.hull]\nstorage = \"NAME\"\n";
            let name = if parsed.storage.keys().any(|name| name.as_str() == "other") { "other" } else { "files" };
            let app = App::parse(&text.replace("NAME", name), &Reading::alone("spin.toml")).expect("a manifest");
            let ownership = Ownership { owner: "one".to_owned(), stores: parsed.storage };
            assert_eq!(ownership.is_of_one_host(&app), of_one_host, "{host}");
        }
    }

    #[test]
    fn a_host_keeps_its_id_and_makes_a_new_one_for_half_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("host-id");
        let first = host_id(&path).expect("made");
        assert_eq!(host_id(&path).expect("kept"), first);
        std::fs::write(&path, "").expect("cut");
        let second = host_id(&path).expect("made anew");
        assert!(!second.is_empty() && second != first);
    }
}
