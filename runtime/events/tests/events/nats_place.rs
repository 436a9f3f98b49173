//! Where a host's things lie: a folder for the databases, and a nats-server for its events.

use std::path::Path;
use std::sync::Arc;

use hull_bus::{Bus, NatsBus, NatsOptions};
use tempfile::TempDir;

use crate::server::Server;

pub(crate) struct Place {
    folder: TempDir,
    server: Server,
}

impl Place {
    /// Whether what was asked for may come when nobody waits for it any more.
    pub(crate) const DELIVERS_LATER: bool = true;

    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a directory"), server: Server::start() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn open_bus(&self) -> Arc<dyn Bus> {
        Arc::new(NatsBus::open(NatsOptions::new(self.server.url())).await.expect("the bus opens"))
    }
}
