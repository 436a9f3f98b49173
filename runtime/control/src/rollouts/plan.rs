//! What somebody asks a rollout to do: checked before anything is brought.

use std::time::Duration;

use hull_manifest::{Invalid, StickyBy};
use hull_rollout::{Plan, Share};

use crate::deployments::DeploymentError;
use crate::revisions::RolloutPlan;

/// The plan of a canary; none where there is nothing to analyse.
pub(super) fn checked(plan: &RolloutPlan) -> Result<Option<Plan>, DeploymentError> {
    let refused = |what: String| DeploymentError::Refused(format!("the rollout: {what}"));
    sticky(plan)?;
    if plan.shadow.is_some() && !plan.steps.is_empty() {
        return Err(refused("a revision that is run in parallel has no share".to_owned()));
    }
    if plan.steps.is_empty() {
        return Ok(None);
    }
    let shares: Option<Vec<Share>> = plan.steps.iter().map(|step| Share::from_hundredths(*step)).collect();
    let shares = shares.ok_or_else(|| refused("a share is above 100%".to_owned()))?;
    let plan = Plan::new(shares, Duration::from_millis(plan.interval_ms));
    plan.map(Some).map_err(|error| refused(error.to_string()))
}

/// What a user is known by again.
pub(super) fn sticky(plan: &RolloutPlan) -> Result<StickyBy, DeploymentError> {
    plan.by.parse().map_err(|invalid: Invalid| DeploymentError::Refused(format!("the rollout: by: {invalid}")))
}
