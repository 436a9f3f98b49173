//! What is kept of a rollout that is under way, so that it goes on after a restart.

use std::io;
use std::path::PathBuf;

use hull_manifest::Name;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::record::Record;
use super::store::{Store, StoreError, damaged, io_error, read};
use super::upload::Draft;
use crate::durable;

/// How a revision is to be tried before it serves everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutPlan {
    /// The canary's shares, in hundredths of a percent; none for a revision that is reached by the preview header alone
    /// until somebody promotes it.
    pub steps: Vec<u32>,
    /// How long a step takes at the least, in milliseconds.
    pub interval_ms: u64,
    /// What stays the same for one user: `ip`, `header:NAME` or `cookie:NAME`.
    pub by: String,
    /// Run it in parallel: it gets copies of requests, and its answers reach nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowPlan>,
}

/// How a revision is run in parallel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShadowPlan {
    /// Fields that may differ: `status`, `header NAME`, `body`, or a JSON pointer with `*` for places in lists.
    #[serde(default)]
    pub ignore: Vec<String>,
}

/// A rollout as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutRecord {
    /// What is committed when it is promoted.
    pub(crate) record: Record,
    pub(crate) plan: RolloutPlan,
    /// Decides who is chosen first.
    pub(crate) seed: u64,
    /// From 0.
    pub(crate) step: usize,
    pub(crate) paused: bool,
}

impl Store {
    /// Keep what a rollout tries, and that it does.
    pub(crate) fn keep_rollout(&self, kept: &RolloutRecord, draft: &Draft) -> Result<(), StoreError> {
        let _writing = self.rollouts.lock();
        self.keep(&kept.record, &draft.contents())?;
        self.write_rollout(kept)
    }

    /// Keep how far a rollout is by now. One that has ended is kept no more, whoever was about to.
    pub(crate) fn update_rollout(&self, kept: &Mutex<RolloutRecord>) -> Result<(), StoreError> {
        let _writing = self.rollouts.lock();
        // Read here: whoever comes first writes what the other one knows as well.
        let kept = kept.lock().clone();
        let app = kept.record.app.parse().map_err(|_| damaged(&self.rollout_path(&kept.record.app), "no name"))?;
        match self.rollout(&app)? {
            Some(of) if of.seed == kept.seed => self.write_rollout(&kept),
            _ => Ok(()),
        }
    }

    /// The rollout of an app that had not ended.
    pub(crate) fn rollout(&self, app: &Name) -> Result<Option<RolloutRecord>, StoreError> {
        let path = self.rollout_path(app.as_str());
        let Some(text) = read(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| damaged(&path, error))
    }

    /// The rollout of an app has ended.
    pub(crate) fn drop_rollout(&self, app: &Name) -> Result<(), StoreError> {
        let _writing = self.rollouts.lock();
        let path = self.rollout_path(app.as_str());
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(&path)(error)),
            _ => durable::sync_folder_of(&path).map_err(io_error(&path)),
        }
    }

    fn write_rollout(&self, kept: &RolloutRecord) -> Result<(), StoreError> {
        let path = self.rollout_path(&kept.record.app);
        let text = serde_json::to_vec(kept).map_err(|error| damaged(&path, error))?;
        durable::write(&path, &text).map_err(io_error(&path))
    }

    fn rollout_path(&self, app: &str) -> PathBuf {
        self.app_folder(app).join("rollout")
    }
}
