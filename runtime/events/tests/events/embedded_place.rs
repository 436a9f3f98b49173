//! Where a host's things lie: one folder for the databases and for the embedded bus.

use std::path::Path;
use std::sync::Arc;

use hull_bus::{Bus, EmbeddedBus, EmbeddedOptions};
use tempfile::TempDir;

pub(crate) struct Place(TempDir);

impl Place {
    /// Whether what was asked for may come when nobody waits for it any more.
    pub(crate) const DELIVERS_LATER: bool = false;

    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) async fn open_bus(&self) -> Arc<dyn Bus> {
        let options = EmbeddedOptions::new(self.path().join("bus"));
        Arc::new(EmbeddedBus::open(options).await.expect("the bus opens"))
    }
}
