//! Apps that were removed: their revisions stay, and so do their numbers, until they are purged.

use std::io;

use hull_manifest::Name;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::store::{CURRENT, Current, Store, StoreError, io_error};
use crate::durable;

/// How an app was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Removal {
    /// Its data stays for whoever deploys it again.
    Kept,
    /// Everything of it is to go, or has begun to.
    Purged,
}

impl Store {
    /// Whether an app was removed after it was last deployed.
    pub(crate) fn removal(&self, app: &Name) -> Result<Option<Removal>, StoreError> {
        Ok(self.committed(app)?.and_then(|current| current.removed))
    }

    /// Commit that an app is removed: from here on it is, whatever happens. One whose files are damaged can be purged.
    pub(crate) fn remove(&self, app: &Name, removal: Removal) -> Result<(), StoreError> {
        let none = || StoreError::NoRevision { app: app.to_string(), revision: 1 };
        let current = match self.committed(app) {
            Err(StoreError::Damaged { .. }) if removal == Removal::Purged => {
                Current { revision: 0, sha256: Content::of(b""), removed: None }
            }
            found => found?.ok_or_else(none)?,
        };
        // What is half gone does not come back.
        let removal = if current.removed == Some(Removal::Purged) { Removal::Purged } else { removal };
        self.set_current(app.as_str(), &Current { removed: Some(removal), ..current })?;
        self.crash_points.passed("removal committed");
        Ok(())
    }

    /// Forget the revisions of an app that is purged, and what only they name. The file that says so goes last.
    pub(crate) fn forget(&self, app: &Name) -> Result<(), StoreError> {
        let folder = self.app_folder(app.as_str());
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(io_error(&folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(io_error(&folder))?;
            if entry.file_name() != CURRENT {
                std::fs::remove_file(entry.path()).map_err(io_error(&folder))?;
            }
        }
        self.crash_points.passed("revisions purged");
        std::fs::remove_dir_all(&folder).and_then(|()| durable::sync_folder_of(&folder)).map_err(io_error(&folder))?;
        self.crash_points.passed("purge committed");
        // The app is gone. Waste harms nobody, and the next start tries again.
        if let Err(error) = self.sweep() {
            tracing::warn!(%error, %app, "what only a purged app named could not be cleared away");
        }
        Ok(())
    }
}
