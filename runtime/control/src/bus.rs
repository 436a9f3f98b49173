//! Opens the bus that `hull.toml` names, and says on it which apps are this host's alone. Nothing above knows which bus
//! it is.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use hull_bus::{Bus, BusError, EmbeddedBus, EmbeddedOptions, NatsBus, NatsOptions};
use hull_manifest::{App, BusBackend, Host, Name, Storage};
use hull_storage::{StateDir, StateDirError};

use crate::node::NodeError;

/// Open it. A NATS server that cannot be reached is waited for in the background; one that refuses is an error.
pub(crate) async fn open(bus: &hull_manifest::Bus, state_dir: &StateDir) -> Result<Arc<dyn Bus>, NodeError> {
    let retain = bus.retain;
    match &bus.backend {
        BusBackend::Embedded => {
            let (_, directory) = state_dir.folder("bus")?;
            let options = EmbeddedOptions { retain, ..EmbeddedOptions::new(directory) };
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
        let failed = |source| NodeError::StateDir(StateDirError::Io { path: path.clone(), source });
        let owner = match std::fs::read_to_string(&path) {
            Ok(owner) => owner.trim().to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let owner = hull_clock::time_ordered_id().to_string();
                std::fs::write(&path, &owner).map_err(failed)?;
                owner
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { owner, stores: host.storage.clone() })
    }

    /// Claim the app, if a component of it has its data in files of this host: its marks of handled events are there.
    pub(crate) async fn claim(&self, bus: &dyn Bus, app: &App) -> Result<(), BusError> {
        let is_here = |storage: &Name| self.stores.get(storage).is_none_or(|store| *store == Storage::Sqlite);
        if app.components.iter().any(|component| is_here(&component.hull.storage)) {
            bus.claim(app.name.as_str(), &self.owner).await?;
        }
        Ok(())
    }
}
