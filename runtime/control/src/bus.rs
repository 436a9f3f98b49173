//! Opens the bus that `hull.toml` names. Nothing above knows which one it is.

use std::path::PathBuf;
use std::sync::Arc;

use hull_bus::{Bus, EmbeddedBus, EmbeddedOptions, NatsBus, NatsOptions};
use hull_manifest::BusBackend;
use hull_storage::StateDir;

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
