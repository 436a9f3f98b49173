//! Removing an app: that it is removed is committed first; then it is asked nothing more, what runs may end, and its
//! consumers and its claim on the bus are given back. Its data stays for whoever deploys it again, unless it is purged.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hull_bus::BusError;
use hull_invocation::ComponentId;
use hull_manifest::Name;

use crate::deploy::claim::Claim;
use crate::deploy::{Deployed, HANDOVER, Turn};
use crate::deployments::stopping::{NOTHING_CHANGED, unless_stopping};
use crate::deployments::{DeploymentError, Deployments};
use crate::durable;
use crate::node::Node;
use crate::revisions::Removal;

/// How often it is looked whether what runs has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Deployments {
    /// Remove an app, with all its data if it is to be purged. Once that is committed it is done to its end, whoever
    /// waits for it, and after a crash by the next start.
    pub(crate) async fn remove(self: &Arc<Self>, app: Name, removal: Removal) -> Result<(), DeploymentError> {
        let own = Arc::clone(self);
        let removing = tokio::spawn(async move {
            // Only the wait may be given up.
            let turn = unless_stopping(&own.node, NOTHING_CHANGED, own.turn()).await?;
            own.remove_in_turn(turn, app, removal).await
        });
        let removed = removing.await;
        removed.unwrap_or_else(|error| Err(DeploymentError::Storage(format!("the removal ended badly: {error}"))))
    }

    async fn remove_in_turn(&self, _turn: Turn, app: Name, removal: Removal) -> Result<(), DeploymentError> {
        let claim = if removal == Removal::Purged { self.claim_first(&app).await? } else { None };
        let name = app.clone();
        let committed = self.with_store(move |store| store.remove(&name, removal)).await;
        committed.map_err(|error| match error {
            DeploymentError::Missing(_) => DeploymentError::Missing(format!("there is no app {app}")),
            other => other,
        })?;
        // The purge gives it back.
        claim.into_iter().for_each(Claim::keep);
        self.node.take_out(&app).await;
        self.unrestored.lock().remove(&app);
        self.last_rollouts.lock().remove(&app);
        if removal == Removal::Purged { self.purge(&app).await } else { Ok(()) }
    }

    /// An app that does not serve here may serve on another host: then its purge is refused before anything is changed.
    async fn claim_first(&self, app: &Name) -> Result<Option<Claim>, DeploymentError> {
        let name = app.clone();
        let is_known = self.with_store(move |store| Ok(store.has(&name))).await?;
        if !is_known {
            return Ok(None);
        }
        self.check_others(app).await?;
        if self.node.apps.read().await.contains_key(app.as_str()) {
            return Ok(None);
        }
        let claimed = self.claim_to_purge(app).await;
        claimed.map(Some).map_err(|error| DeploymentError::Conflict(format!("{error}; nothing was changed")))
    }

    /// An app with its data on a server may be served by several hosts, and has one stream and one copy of its data: the
    /// last one purges them.
    async fn check_others(&self, app: &Name) -> Result<(), DeploymentError> {
        for (storage, server) in self.node.stores.servers() {
            let refused = match server.is_used_elsewhere(app.as_str()).await {
                Ok(false) => continue,
                Ok(true) => format!(
                    "another host serves app {app} as well, with the data of storage.{storage}: remove it there first, \
                     and purge it where it is removed last"
                ),
                Err(error) => format!("it cannot be seen whether another host serves app {app}: {error}"),
            };
            return Err(DeploymentError::Conflict(format!("{refused}; nothing was changed")));
        }
        Ok(())
    }

    async fn claim_to_purge(&self, app: &Name) -> Result<Claim, BusError> {
        let claim = Claim::new(&self.node, app);
        match self.node.ownership.claim_to_purge(&*self.node.bus(), app).await {
            Ok(()) => Ok(claim),
            Err(error) => {
                claim.give_back().await;
                Err(error)
            }
        }
    }

    /// Let nothing be left of an app that does not serve. May be repeated, and cut short. For whoever has the turn.
    pub(crate) async fn purge(&self, app: &Name) -> Result<(), DeploymentError> {
        let claim = self.claim_to_purge(app).await.map_err(|error| not_purged(app, &error))?;
        let purged = self.purge_claimed(app).await;
        claim.give_back().await;
        purged
    }

    async fn purge_claimed(&self, app: &Name) -> Result<(), DeploymentError> {
        let failed = |what: &dyn std::fmt::Display| not_purged(app, what);
        // Also of deployments that failed: whoever deploys it next must not write into a file that is gone.
        self.node.close_databases(app.as_str()).await;
        // Until these are committed no other host begins to serve the app, and none does now.
        let mut purges = Vec::new();
        for (_, server) in self.node.stores.servers() {
            purges.push(server.purge(app.as_str()).await.map_err(|error| failed(&error))?);
        }
        self.node.bus().remove_stream(app.as_str()).await.map_err(|error| failed(&error))?;
        self.node.crash_points.passed("stream purged");
        for purge in purges {
            purge.commit().await.map_err(|error| failed(&error))?;
        }
        let data = self.node.state_dir.path().join("apps").join(app.as_str());
        let removing = hull_threads::blocking(move || match std::fs::remove_dir_all(&data) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| durable::sync_folder_of(&data)),
        });
        removing.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        self.node.crash_points.passed("data purged");
        self.node.flags.forget(app).await.map_err(|error| failed(&error))?;
        self.node.crash_points.passed("flags purged");
        let name = app.clone();
        self.with_store(move |store| store.forget(&name)).await.map_err(|error| failed(&error))
    }
}

fn not_purged(app: &Name, what: &dyn std::fmt::Display) -> DeploymentError {
    DeploymentError::Unfinished(format!("app {app} is removed, and not all of it is purged: {what}; purge it again"))
}

impl Node {
    /// Take an app out of service: no request and no event is begun any more, and what runs may end.
    async fn take_out(&self, app: &Name) {
        let Some(deployed) = self.apps.read().await.get(app.as_str()).cloned() else { return };
        let upstreams = deployed.upstreams.iter().map(|served| &served.id);
        let ids: Vec<ComponentId> =
            deployed.components.iter().map(|served| &served.id).chain(upstreams).cloned().collect();
        self.route_without(app).await;
        self.crash_points.passed("unrouted");
        let until = hull_clock::now() + HANDOVER;
        // Their events are not lost: the consumers stay, and are there for whoever deploys the app again.
        futures::future::join_all(ids.iter().map(|id| self.events.quiet(id, HANDOVER))).await;
        self.drained(&ids, until).await;
        futures::future::join_all(ids.iter().map(|id| self.events.stop(id, HANDOVER))).await;
        self.crash_points.passed("drained");
        self.apps.write().await.remove(app.as_str());
        self.departed.forget(app.as_str());
        self.dispatch.admit(app.as_str(), []);
        self.engine.uninstall(app.as_str());
        self.close_databases(app.as_str()).await;
        for id in &ids {
            self.metrics().remove(id);
            self.logs().remove(id);
        }
        remove_copies(deployed).await;
        self.crash_points.passed("taken out");
        self.bus().release(app.as_str()).await;
        self.crash_points.passed("released");
    }

    /// Only the other apps have routes.
    async fn route_without(&self, app: &Name) {
        let mut others = self.apps.read().await.clone();
        others.remove(app.as_str());
        match self.route_table_of(&others) {
            Ok(table) => self.routes.set(table),
            // They were accepted together with this app's.
            Err(duplicate) => tracing::error!(%duplicate, %app, "the routes of a removed app could not be taken away"),
        }
    }

    /// Wait until nothing runs in these, for so long.
    async fn drained(&self, ids: &[ComponentId], until: Instant) {
        let admissions: Vec<_> = ids.iter().filter_map(|id| self.dispatch.admission_of(id)).collect();
        while admissions.iter().any(|one| one.concurrency.status().inside > 0) {
            if hull_clock::now() >= until {
                let app = ids.first().map(ComponentId::app);
                tracing::warn!(app, "invocations were still running after the drain time");
                return;
            }
            tokio::time::sleep_until((hull_clock::now() + LOOK_EVERY).into()).await;
        }
    }

    pub(crate) async fn close_databases(&self, app: &str) {
        let closing: Vec<_> = {
            let mut databases = self.databases.lock();
            databases.extract_if(.., |(id, _), _| id.app() == app).map(|(_, (database, _))| database).collect()
        };
        for database in closing {
            database.close().await;
        }
        for (_, server) in self.stores.servers() {
            server.leave(app).await;
        }
    }
}

/// The copies of `files` that it served; no data.
async fn remove_copies(deployed: Deployed) {
    let removing = hull_threads::blocking(move || {
        for served in &deployed.components {
            match std::fs::remove_dir_all(&served.files) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %served.files.display(), "a copy of files could not be removed");
                }
                _ => {}
            }
        }
    });
    if let Err(error) = removing.await {
        tracing::warn!(%error, "copies of files could not be removed");
    }
}
