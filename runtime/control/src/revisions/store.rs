//! Revisions on disk. `content/` holds bytes by their SHA-256, `apps/APP/N.json` a record per revision, and
//! `apps/APP/current` alone says which of them was committed last: what is above it was never committed, and what no
//! record up to it names is waste. `incoming/` holds what is being received or checked, and is emptied at each start.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hull_manifest::Name;
use hull_provenance::Signature;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::content::Content;
use super::record::{FileRecord, Record};
use super::removal::Removal;
use super::upload::Draft;
use super::whole::{Look, Whole};
use crate::durable;
use crate::node::crash_points::CrashPoints;

/// A record is not longer than this, in bytes.
const RECORD_BYTES_MAX: u64 = 16 << 20;
/// The file that names the revision that was committed last.
pub(super) const CURRENT: &str = "current";

/// Why revisions cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is none of that number.
    #[error("app {app} has no revision {revision}; `hull history` lists them")]
    NoRevision { app: String, revision: u64 },
    /// Something in the folder is not what was written there.
    #[error("{path} is damaged: {why}; restore the state directory from a backup, or deploy the app again")]
    Damaged { path: String, why: String },
    /// The file system failed.
    #[error("the revisions in {path}: {source}")]
    Io { path: String, source: io::Error },
}

/// The revisions of all apps.
pub(crate) struct Store {
    folder: PathBuf,
    pub(super) crash_points: Arc<CrashPoints>,
    /// Held by whoever writes what is kept of a rollout.
    pub(super) rollouts: Mutex<()>,
    whole: Whole,
}

/// The one file that says what is committed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Current {
    pub(super) revision: u64,
    /// Of the record.
    pub(super) sha256: Content,
    /// Since then the app was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) removed: Option<Removal>,
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Io { path, source }
}

pub(super) fn damaged(path: &Path, why: impl ToString) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), why: why.to_string() }
}

impl Store {
    /// Open the folder, and clear away what was not committed.
    pub(crate) fn open(folder: PathBuf, crash_points: Arc<CrashPoints>) -> Result<Self, StoreError> {
        let store = Self { folder, crash_points, rollouts: Mutex::default(), whole: Whole::default() };
        let incoming = store.incoming();
        match std::fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&incoming)(error)),
            _ => {}
        }
        for folder in [incoming, store.folder.join("content"), store.folder.join("apps")] {
            std::fs::create_dir_all(&folder).map_err(io_error(&folder))?;
        }
        // Waste harms nobody. What is damaged shows when it is asked for, and then keeps no other app from serving.
        if let Err(error) = store.sweep() {
            tracing::warn!(%error, "what no revision names could not be cleared away");
        }
        Ok(store)
    }

    /// Where uploads go until they are committed.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    /// The apps that have a committed revision.
    pub(crate) fn apps(&self) -> Result<Vec<Name>, StoreError> {
        let folder = self.folder.join("apps");
        let mut apps = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(io_error(&folder))? {
            let entry = entry.map_err(io_error(&folder))?;
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            apps.extend(name.filter(|_| entry.path().join(CURRENT).exists()));
        }
        apps.sort();
        Ok(apps)
    }

    /// Whether anything was committed of this app, and not purged.
    pub(crate) fn has(&self, app: &Name) -> bool {
        self.app_folder(app.as_str()).join(CURRENT).exists()
    }

    /// The revision that was committed last, if one was.
    pub(crate) fn current(&self, app: &Name) -> Result<Option<Record>, StoreError> {
        let Some(current) = self.committed(app)? else { return Ok(None) };
        let path = self.record_path(app.as_str(), current.revision);
        let text = read(&path)?.ok_or_else(|| damaged(&path, "it is missing"))?;
        if Content::of(text.as_bytes()) != current.sha256 {
            return Err(damaged(&path, "it is not what was committed"));
        }
        Ok(Some(parsed(&path, &text)?))
    }

    /// A revision that was committed.
    pub(crate) fn record(&self, app: &Name, revision: u64) -> Result<Record, StoreError> {
        let none = || StoreError::NoRevision { app: app.to_string(), revision };
        let last = self.committed(app)?.ok_or_else(none)?.revision;
        if revision == 0 || revision > last {
            return Err(none());
        }
        let path = self.record_path(app.as_str(), revision);
        parsed(&path, &read(&path)?.ok_or_else(|| damaged(&path, "it is missing"))?)
    }

    /// The last so many revisions before `before`, the newest first.
    pub(crate) fn history(&self, app: &Name, before: Option<u64>, most: usize) -> Result<Vec<Record>, StoreError> {
        let last = self.committed(app)?.map_or(0, |current| current.revision);
        let last = before.map_or(last, |before| last.min(before.saturating_sub(1)));
        (1..=last).rev().take(most).map(|revision| self.record(app, revision)).collect()
    }

    /// The manifest of a revision, which may have come with a draft.
    pub(crate) fn manifest(&self, record: &Record, draft: Option<&Draft>) -> Result<String, StoreError> {
        let FileRecord { bytes, sha256, .. } = &record.manifest;
        let received = draft.map(|draft| draft.contents().join(sha256.as_str())).filter(|path| path.exists());
        let path = received.unwrap_or_else(|| self.content_path(sha256));
        let mut text = Vec::new();
        let opened = File::open(&path).map_err(io_error(&path))?;
        opened.take(*bytes + 1).read_to_end(&mut text).map_err(io_error(&path))?;
        if Content::of(&text) != *sha256 {
            return Err(damaged(&path, "its content has changed"));
        }
        String::from_utf8(text).map_err(|_| damaged(&path, "it is no text"))
    }

    /// Lay out what a draft's record consists of, from what came with the draft or else from what is kept.
    pub(crate) fn lay_out(&self, record: &Record, draft: &Draft) -> Result<(), StoreError> {
        let tree = draft.tree();
        for FileRecord { path, sha256, .. } in &record.files {
            self.link(sha256, draft, &tree.join(path))?;
        }
        for (name, component) in &record.components {
            let path = draft.component(name);
            self.link(&component.sha256, draft, &path)?;
            if let Some(signature) = component.signature {
                let beside = Signature::path_of(&path);
                std::fs::write(&beside, signature.to_string()).map_err(io_error(&beside))?;
            }
        }
        Ok(())
    }

    fn link(&self, content: &Content, draft: &Draft, to: &Path) -> Result<(), StoreError> {
        let received = draft.contents().join(content.as_str());
        let from = if received.exists() { received } else { self.checked(content)? };
        let linked = match to.parent() {
            Some(folder) => std::fs::create_dir_all(folder).and_then(|()| std::fs::hard_link(&from, to)),
            None => std::fs::hard_link(&from, to),
        };
        linked.map_err(io_error(to))
    }

    /// Commit: keep the contents that came with the draft, then the record, and last the name of the record. Whatever
    /// happens before the last step has not happened.
    pub(crate) fn commit(&self, record: &Record, draft: &Draft) -> Result<(), StoreError> {
        self.keep(record, &draft.contents())?;
        let folder = self.app_folder(&record.app);
        std::fs::create_dir_all(&folder).and_then(|()| durable::sync_folder_of(&folder)).map_err(io_error(&folder))?;
        let path = self.record_path(&record.app, record.revision);
        let text = serde_json::to_string(record).map_err(|error| damaged(&path, error))?;
        durable::write(&path, text.as_bytes()).map_err(io_error(&path))?;
        self.crash_points.passed("record written");
        let (revision, sha256) = (record.revision, Content::of(text.as_bytes()));
        self.set_current(&record.app, &Current { revision, sha256, removed: None })?;
        self.crash_points.passed("committed");
        Ok(())
    }

    pub(super) fn keep(&self, record: &Record, incoming: &Path) -> Result<(), StoreError> {
        let contents: BTreeSet<&Content> = record.contents().collect();
        for content in contents {
            let received = incoming.join(content.as_str());
            let kept = self.content_path(content);
            // In place of what is there: if that was damaged, it is whole again.
            match std::fs::rename(&received, &kept) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && kept.exists() => {}
                renamed => renamed.map_err(io_error(&kept))?,
            }
            self.crash_points.passed("content kept");
        }
        let folder = self.folder.join("content");
        durable::sync_folder_of(&folder.join("any")).map_err(io_error(&folder))
    }

    /// Remove records that were never committed, and contents that no record names.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        let mut named = BTreeSet::new();
        for app in self.apps()? {
            let last = self.committed(&app)?.map_or(0, |current| current.revision);
            for revision in 1..=last {
                // What cannot be read might name anything: then nothing is removed.
                named.extend(self.record(&app, revision)?.contents().map(|content| content.as_str().to_owned()));
            }
            let rollout = self.rollout(&app)?;
            let tried = rollout.iter().flat_map(|rollout| rollout.record.contents());
            named.extend(tried.map(|content| content.as_str().to_owned()));
            let next = self.record_path(app.as_str(), last + 1);
            if next.exists() {
                std::fs::remove_file(&next).map_err(io_error(&next))?;
            }
        }
        let folder = self.folder.join("content");
        for entry in std::fs::read_dir(&folder).map_err(io_error(&folder))? {
            let path = entry.map_err(io_error(&folder))?.path();
            let is_named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| named.contains(name));
            if !is_named {
                std::fs::remove_file(&path).map_err(io_error(&path))?;
            }
        }
        Ok(())
    }

    /// This alone says what is committed.
    pub(super) fn set_current(&self, app: &str, current: &Current) -> Result<(), StoreError> {
        let path = self.app_folder(app).join(CURRENT);
        let text = serde_json::to_string(current).map_err(|error| damaged(&path, error))?;
        durable::write(&path, text.as_bytes()).map_err(io_error(&path))
    }

    pub(super) fn committed(&self, app: &Name) -> Result<Option<Current>, StoreError> {
        let path = self.app_folder(app.as_str()).join(CURRENT);
        match read(&path)? {
            None => Ok(None),
            Some(text) => serde_json::from_str(&text).map(Some).map_err(|error| damaged(&path, error)),
        }
    }

    /// Where a content is kept, if its bytes are still those.
    fn checked(&self, content: &Content) -> Result<PathBuf, StoreError> {
        let path = self.content_path(content);
        let mut opened = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged(&path, "it is missing"),
            _ => io_error(&path)(error),
        })?;
        let (as_it_is, now) = (Look::at(&opened).map_err(io_error(&path))?, hull_clock::wall());
        if self.whole.is(content, &as_it_is) {
            return Ok(path);
        }
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 128 << 10];
        loop {
            match opened.read(&mut buffer).map_err(io_error(&path))? {
                0 => break,
                length => hash.update(buffer.get(..length).unwrap_or_default()),
            }
        }
        if Content::of_hash(hash) != *content {
            return Err(damaged(&path, "its content has changed"));
        }
        self.whole.add(content, as_it_is, now);
        Ok(path)
    }

    pub(super) fn app_folder(&self, app: &str) -> PathBuf {
        self.folder.join("apps").join(app)
    }

    fn content_path(&self, content: &Content) -> PathBuf {
        self.folder.join("content").join(content.as_str())
    }

    fn record_path(&self, app: &str, revision: u64) -> PathBuf {
        self.app_folder(app).join(format!("{revision}.json"))
    }
}

pub(super) fn read(path: &Path) -> Result<Option<String>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    let mut text = String::new();
    file.take(RECORD_BYTES_MAX).read_to_string(&mut text).map_err(io_error(path))?;
    Ok(Some(text))
}

fn parsed(path: &Path, text: &str) -> Result<Record, StoreError> {
    serde_json::from_str(text).map_err(|error| damaged(path, error))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
