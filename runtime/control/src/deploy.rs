//! Deploying an app: everything is read, checked, compiled and migrated first; then it is switched on as one.

pub(crate) mod bytes;
pub(crate) mod claim;
pub(crate) mod component;
pub(crate) mod contracts;
pub(crate) mod departed;
pub(crate) mod files;
pub(crate) mod migrations;
pub(crate) mod moves;
pub(crate) mod prepare;
pub(crate) mod reaching;
pub(crate) mod reserve;
pub(crate) mod served;
pub(crate) mod signed;
pub(crate) mod unenforced;
pub(crate) mod warm;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hull_dispatch::{Admission, BulkheadLimits, Compartment};
use hull_events::ComponentConfig;
use hull_gateway::{RouteTable, Target, Watch};
use hull_invocation::{ComponentId, Resource};
use hull_manifest::{App, Name};
use hull_threads::aside;
use tokio::sync::OwnedMutexGuard;

use crate::deploy::claim::Claim;
use crate::deploy::component::{bulkhead_bound, bulkhead_limits, own_limits, storage_limits};
use crate::deploy::contracts::event_schemas;
use crate::deploy::prepare::{Base, Prepared, migrate, sweep_files};
use crate::deploy::reaching::Reaching;
use crate::error::{ComponentProblem, DeployFailed};
use crate::node::Node;
use crate::node::observe::Counting;
use crate::node::resources::set_limits;

pub(crate) use crate::deploy::served::Compartments;
pub use crate::deploy::served::{Deployed, Served};

/// How long handlers of the version before may go on.
pub(crate) const HANDOVER: Duration = Duration::from_secs(30);

/// What [`Node::switch`] needs; it goes on by itself once it has begun.
struct Switch {
    deployed: Deployed,
    table: RouteTable<Target>,
    /// Components of the version before that are no more.
    gone: Vec<ComponentId>,
}

/// An app that could serve at once.
pub(crate) struct Ready {
    pub(crate) deployed: Deployed,
    migrated: Vec<String>,
    claim: Claim,
}

/// Makes a deployment lasting, at the last moment at which it can still fail. Files are written: not for the serving
/// threads.
pub(crate) type Commit = Box<dyn FnOnce(&Deployed) -> Result<(), ComponentProblem> + Send>;

/// The turn to deploy: one deployment at a time, the others wait until nobody has a part of it.
#[derive(Clone)]
pub(crate) struct Turn(#[allow(dead_code, reason = "held, and let go of at the end")] Arc<OwnedMutexGuard<()>>);

impl Node {
    /// Deploy an app in place of what it was. `base` is the folder of its manifest. After an error nothing that
    /// serves has changed. Dropping the future gives up what is only being prepared; once the app is being switched on,
    /// that is done to its end.
    pub async fn deploy(self: &Arc<Self>, app: App, base: &Path) -> Result<Deployed, DeployFailed> {
        let turn = self.turn().await;
        let findings = self.contract_findings(&app, base).await?;
        if !findings.is_empty() {
            return Err(failed(&app, contracts::problems(&findings), Vec::new()));
        }
        let base = Base { path: base, kept: None, is_new: true, is_apart: false };
        self.deploy_in_turn(turn, app, base, Box::new(|_| Ok(()))).await
    }

    /// Wait until nobody else deploys.
    pub(crate) async fn turn(&self) -> Turn {
        Turn(Arc::new(Arc::clone(&self.deploying).lock_owned().await))
    }

    /// As [`Node::deploy`]; what is committed serves from then on, and a commit that fails has changed nothing.
    pub(crate) async fn deploy_in_turn(
        self: &Arc<Self>,
        turn: Turn,
        app: App,
        base: Base<'_>,
        commit: Commit,
    ) -> Result<Deployed, DeployFailed> {
        let ready = self.make_ready(app, base).await?;
        self.switch_on(turn, ready, commit).await
    }

    /// Everything that can be done before an app serves: read, check, compile, migrate, warm.
    pub(crate) async fn make_ready(self: &Arc<Self>, app: App, base: Base<'_>) -> Result<Ready, DeployFailed> {
        self.check_stream(&app).await?;
        self.check_reservations(&app).await?;
        let prepared = self.prepare_all(&app, base).await?;
        self.crash_points.passed("prepared");
        let revision = self.engine.revision(prepared.iter().map(|component| Arc::clone(&component.served.version)));
        let upstreams = self.upstreams(&app).map_err(|problem| failed(&app, vec![problem], Vec::new()))?;
        let (app, compartments) = (Arc::new(app), Compartments::default());
        let components = prepared.iter().map(|component| component.served.clone()).collect();
        let deployed = Deployed { app, components, upstreams, revision, compartments };
        self.table_with(&deployed, None).await?;
        let (claim, migrated) = self.claim_and_migrate(&deployed.app, &prepared).await?;
        self.crash_points.passed("migrated");
        if base.is_new {
            if !base.is_apart {
                // A component that is asked how it is may ask one that is new as well.
                self.admit_beside(&deployed).await;
            }
            let problems = self.warm_all(&deployed, base.is_apart).await;
            if !problems.is_empty() {
                claim.give_back().await;
                self.let_go(&deployed.app.name).await;
                return Err(failed(&deployed.app, problems, migrated));
            }
            self.crash_points.passed("warmed");
        }
        Ok(Ready { deployed, migrated, claim })
    }

    /// The routes of every app, with this one's in place of what they were.
    pub(crate) async fn table_with(
        &self,
        deployed: &Deployed,
        watch: Option<&Watch>,
    ) -> Result<RouteTable<Target>, DeployFailed> {
        let apps = self.apps.read().await;
        let table = self.route_table(deployed, &apps, watch);
        table.map_err(|problem| failed(&deployed.app, vec![problem], Vec::new()))
    }

    /// Commit, and let what is ready serve.
    pub(crate) async fn switch_on(
        self: &Arc<Self>,
        turn: Turn,
        ready: Ready,
        commit: Commit,
    ) -> Result<Deployed, DeployFailed> {
        let Ready { deployed, migrated, claim } = ready;
        let app = Arc::clone(&deployed.app);
        let table = self.table_with(&deployed, None).await?;
        let before = self.apps.read().await.get(app.name.as_str()).map(|before| before.components.clone());
        let is_gone = |id: &ComponentId| app.component(id.component()).is_none();
        let gone = before.unwrap_or_default().into_iter().map(|served| served.id).filter(is_gone).collect();
        let switch = Switch { deployed, table, gone };
        let node = Arc::clone(self);
        let switching = tokio::spawn(async move {
            // Held to the end, whoever waits for it.
            let _turn = turn;
            let committing = switch.deployed.clone();
            let committed = hull_threads::blocking(move || commit(&committing)).await;
            let committed = committed.unwrap_or_else(|error| Err(ended_badly(&error)));
            if let Err(problem) = committed {
                claim.give_back().await;
                return Err(problem);
            }
            let deployed = node.switch(switch).await;
            claim.keep();
            Ok(deployed)
        });
        let switched = switching.await.unwrap_or_else(|error| Err(ended_badly(&error)));
        switched.map_err(|problem| failed(&app, vec![problem], migrated))
    }

    /// Let a revision that is ready be called beside the one that serves: what is only in it is admitted as well.
    pub(crate) async fn admit_beside(&self, deployed: &Deployed) {
        let before = self.apps.read().await.get(deployed.app.name.as_str()).cloned();
        let known = before.as_ref().map(|before| Arc::clone(&before.app));
        let (admissions, _) = self.admissions(&deployed.app, None);
        let is_new = |id: &ComponentId| known.as_ref().is_none_or(|app| !has(app, id));
        self.dispatch.admit_also(admissions.into_iter().filter(|(id, _)| is_new(id)));
    }

    /// An app whose stream is damaged is not served: what it published would be lost, or come twice.
    async fn check_stream(&self, app: &App) -> Result<(), DeployFailed> {
        let status = self.bus().status().await;
        let stream = status.streams.into_iter().find(|stream| stream.app == app.name.as_str());
        match stream.and_then(|stream| stream.problem) {
            None => Ok(()),
            Some(message) => {
                let problem = ComponentProblem { component: "bus".to_owned(), message };
                Err(failed(app, vec![problem], Vec::new()))
            }
        }
    }

    /// An app whose data is on this host is handled by no other.
    async fn claim(&self, app: &App) -> Result<(), DeployFailed> {
        self.ownership.claim(&*self.bus(), app).await.map_err(|error| {
            let problem = ComponentProblem { component: "bus".to_owned(), message: error.to_string() };
            failed(app, vec![problem], Vec::new())
        })
    }

    /// From here on the app is this host's; last, because another host may want it that does not fail.
    pub(crate) async fn claim_and_migrate(
        self: &Arc<Self>,
        app: &App,
        prepared: &[Prepared],
    ) -> Result<(Claim, Vec<String>), DeployFailed> {
        let claim = Claim::new(self, &app.name);
        let migrating = async {
            self.claim(app).await?;
            let reaching = Reaching::new(&self.stores, app);
            let checked = self.check_storage(app, prepared, &reaching).await;
            checked.map_err(|problems| failed(app, problems, Vec::new()))?;
            migrate(app, prepared, &reaching).await
        };
        match migrating.await {
            Ok(migrated) => Ok((claim, migrated)),
            Err(failed) => {
                claim.give_back().await;
                self.let_go(&app.name).await;
                Err(failed)
            }
        }
    }

    /// Unless a revision of the app serves, this host has none of its databases open: another one may purge it.
    async fn let_go(&self, app: &Name) {
        if !self.apps.read().await.contains_key(app.as_str()) {
            self.close_databases(app.as_str()).await;
        }
    }

    pub(crate) async fn release_unless_served(&self, app: &Name) {
        if !self.apps.read().await.contains_key(app.as_str()) {
            self.bus().release(app.as_str()).await;
        }
    }

    /// What is set aside for all apps together must be there.
    async fn check_reservations(&self, app: &App) -> Result<(), DeployFailed> {
        let apps = self.apps.read().await;
        let others = apps.values().map(|deployed| &*deployed.app).filter(|other| other.name != app.name);
        let problems = reserve::check(others.chain([app]), &self.totals);
        if problems.is_empty() { Ok(()) } else { Err(failed(app, problems, Vec::new())) }
    }

    /// Everything is ready: let it serve. New routes and new code come at once; events follow, each component's as
    /// soon as the handlers of its version before have ended.
    async fn switch(&self, switch: Switch) -> Deployed {
        let Switch { mut deployed, table, gone } = switch;
        let app = Arc::clone(&deployed.app);
        futures::future::join_all(gone.iter().map(|id| self.events.stop(id, HANDOVER))).await;
        let before = self.apps.read().await.get(app.name.as_str()).cloned();
        self.engine.install(app.name.as_str(), &deployed.revision);
        self.crash_points.passed("installed");
        let (admissions, compartments) = self.admissions(&app, before.as_ref());
        deployed.compartments = compartments;
        let left = self.departed.on_switch(&app, before.as_ref(), &self.dispatch);
        self.dispatch.admit(app.name.as_str(), admissions.into_iter().chain(left));
        self.crash_points.passed("admitted");
        self.routes.set(table);
        self.crash_points.passed("routed");
        let upstreams = before.iter().flat_map(|before| &before.upstreams).map(|served| &served.id);
        for id in gone.iter().chain(upstreams).filter(|id| !has(&app, id)) {
            self.metrics().remove(id);
            self.logs().remove(id);
        }
        self.apps.write().await.insert(app.name.to_string(), deployed.clone());
        let starting = deployed.components.iter().filter_map(|served| {
            let component = app.component(served.id.component())?;
            let limits = storage_limits(&served.database.limits(), &component.hull.limits);
            served.database.set_limits(limits);
            served.ways_out.set_limits(&component.hull.limits);
            served.account.share().set_weight(app.bulkhead_of(component).1.cpu_weight.get());
            let metrics = self.metrics().component(&served.id);
            served.watch.set(Arc::clone(&served.account), Arc::clone(&metrics));
            set_limits(&metrics, &app, component);
            let config = ComponentConfig::from_manifest(&app, component, served.database.clone(), metrics);
            let config = ComponentConfig { schemas: event_schemas(served.contract.as_deref()), ..config };
            Some(self.events.start(config, HANDOVER))
        });
        futures::future::join_all(starting).await;
        self.crash_points.passed("handed over");
        let serving = deployed.clone();
        let sweeping = aside(async move { sweep_files(&serving, before.as_ref()) });
        if let Err(error) = sweeping.await {
            tracing::warn!(%error, "old copies of files could not be removed");
        }
        deployed
    }

    /// Where each component's invocations have their places: in the compartments of the version before, where it had
    /// them, with the bounds of this one.
    fn admissions(&self, app: &App, before: Option<&Deployed>) -> (Vec<(ComponentId, Admission)>, Compartments) {
        let old = before.map(|before| before.compartments.clone()).unwrap_or_default();
        let mut compartments = Compartments::default();
        let mut admissions = Vec::with_capacity(app.components.len());
        for component in &app.components {
            let (name, bulkhead) = app.bulkhead_of(component);
            let compartment = compartments.bulkheads.entry(name.clone()).or_insert_with(|| {
                kept_or_new(&old.bulkheads, &name, bulkhead_limits(&bulkhead), bulkhead_bound(&bulkhead))
            });
            let compartment = Arc::clone(compartment);
            let limits = &component.hull.limits;
            let own = own_limits(limits.concurrency);
            let concurrency = kept_or_new(&old.own, &component.name, own, Resource::Concurrency);
            compartments.own.insert(component.name.clone(), Arc::clone(&concurrency));
            let id = ComponentId::new(&app.name, &component.name);
            let observer = Arc::new(Counting(self.metrics().component(&id)));
            let body_in_bytes_max = limits.body_in_max.get();
            let time = limits.time;
            admissions.push((id, Admission { compartment, concurrency, body_in_bytes_max, time, observer }));
        }
        admissions.extend(self.upstream_admissions(app, &old, &mut compartments));
        (admissions, compartments)
    }
}

/// Whether an app has a component or an upstream of that name.
pub(crate) fn has(app: &App, id: &ComponentId) -> bool {
    app.component(id.component()).is_some() || app.upstreams.contains_key(id.component())
}

pub(crate) fn kept_or_new(
    old: &BTreeMap<Name, Arc<Compartment>>,
    name: &Name,
    limits: BulkheadLimits,
    bound: Resource,
) -> Arc<Compartment> {
    match old.get(name) {
        Some(kept) => {
            kept.set_limits(limits, bound);
            Arc::clone(kept)
        }
        None => Compartment::new(name.as_str(), limits, bound),
    }
}

fn ended_badly(error: &dyn std::error::Error) -> ComponentProblem {
    ComponentProblem { component: "switching on".to_owned(), message: format!("it ended badly: {error}") }
}

pub(crate) fn failed(app: &App, problems: Vec<ComponentProblem>, migrated: Vec<String>) -> DeployFailed {
    DeployFailed { app: app.name.to_string(), problems, migrated }
}
