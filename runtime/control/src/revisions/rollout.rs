//! What is kept of a rollout that is under way, so that it goes on after a restart.

use serde::{Deserialize, Serialize};

use super::record::Record;

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
