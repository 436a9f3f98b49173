//! The start of a daemon: every app serves what it served last, and rollouts that had not ended go on.

use std::sync::Arc;

use hull_manifest::Name;

use crate::deploy::Turn;
use crate::deployments::{DeploymentError, Deployments, Plan};
use crate::revisions::{Removal, Store};

/// How an app came back.
pub struct Restored {
    /// The app.
    pub app: Name,
    /// Its revision, or why it does not serve.
    pub outcome: Result<u64, String>,
}

impl Deployments {
    /// Let every app serve what it served last. One that cannot keeps no other from it.
    pub async fn restore(self: &Arc<Self>) -> Result<Vec<Restored>, DeploymentError> {
        let apps = self.with_store(Store::apps).await?;
        let mut restored = Vec::with_capacity(apps.len());
        for app in apps {
            // Deployments and removals are taken already: between the look and what follows there is none, nor between an
            // app and its rollout, which would be given up for one.
            let turn = self.node.turn().await;
            if self.is_gone(&app).await {
                continue;
            }
            let outcome = self.restore_one(turn.clone(), &app).await.map_err(|error| error.to_string());
            if let Err(why) = &outcome {
                tracing::error!(app = %app, why, "an app could not be brought back");
                self.unrestored.lock().insert(app.clone(), why.clone());
            }
            if outcome.is_ok() {
                self.restore_rollout(&app).await;
            }
            restored.push(Restored { app, outcome });
        }
        self.node.crash_points.arm();
        Ok(restored)
    }

    /// Whether an app was removed. One that was being purged is purged to its end. For whoever has the turn.
    async fn is_gone(&self, app: &Name) -> bool {
        let name = app.clone();
        match self.with_store(move |store| Ok((store.has(&name), store.removal(&name)?))).await {
            Ok((false, _) | (true, Some(Removal::Kept))) => true,
            Ok((true, Some(Removal::Purged))) => {
                if let Err(error) = self.purge(app).await {
                    tracing::error!(%error, app = %app, "a removed app could not be purged");
                }
                true
            }
            // What cannot be read shows when the app is brought back.
            Ok((true, None)) | Err(_) => false,
        }
    }

    async fn restore_one(self: &Arc<Self>, turn: Turn, app: &Name) -> Result<u64, DeploymentError> {
        let name = app.clone();
        let record = self.with_store(move |store| store.current(&name)).await?;
        let record = record.ok_or_else(|| DeploymentError::Missing(format!("app {app} has no revision")))?;
        let revision = record.revision;
        self.bring(turn, self.plan(record)?, false).await?;
        Ok(revision)
    }

    /// A rollout that had not ended goes on with the step it was at. One that cannot is given up. For whoever has the
    /// turn.
    async fn restore_rollout(self: &Arc<Self>, app: &Name) {
        let name = app.clone();
        let found = self.with_store(move |store| Ok((store.rollout(&name)?, store.current(&name)?))).await;
        let resumed = match found {
            Ok((None, _)) => return,
            // It was promoted right before the end of the host.
            Ok((Some(kept), Some(current))) if kept.record.revision <= current.revision => Ok(()),
            Ok((Some(kept), _)) => match self.plan(kept.record.clone()) {
                Ok(Plan { draft, .. }) if self.running().is_none() => {
                    match self.try_out(app.clone(), kept, draft, false).await {
                        Ok(_) => return,
                        Err(error) => Err(error),
                    }
                }
                Ok(_) => Err(DeploymentError::Conflict("another app's rollout is under way".to_owned())),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = resumed {
            tracing::error!(%error, app = %app, "a rollout could not be taken up again, and is given up");
        }
        let name = app.clone();
        if let Err(error) = self.with_store(move |store| store.drop_rollout(&name)).await {
            tracing::error!(%error, app = %app, "a rollout that was given up is still kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::node::test_node::node_in;

    #[tokio::test]
    async fn a_turn_is_over_when_nobody_has_a_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let node = node_in(folder.path()).await;
        let turn = node.turn().await;
        // As an app that was brought back and its rollout have.
        let part = turn.clone();
        drop(part);
        assert!(node.deploying.try_lock().is_err());
        drop(turn);
        assert!(node.deploying.try_lock().is_ok());
    }
}
