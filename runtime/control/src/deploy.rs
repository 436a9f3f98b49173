//! Deploying an app: everything is read, checked, compiled and migrated first; then it is switched on as one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hull_dispatch::{Account, Admission, Compartment};
use hull_engine::Version;
use hull_events::ComponentConfig;
use hull_gateway::{RouteTable, Target};
use hull_invocation::{ComponentId, Resource};
use hull_manifest::{App, Name};
use hull_storage::Database;
use tokio::sync::OwnedMutexGuard;

use crate::component::{WaysOut, bulkhead_bound, bulkhead_limits, own_limits, storage_limits};
use crate::error::{ComponentProblem, DeployFailed};
use crate::node::Node;
use crate::observe::Counting;
use crate::prepare::{migrate, sweep_files};
use crate::reserve;
use crate::resources::{DatabaseWatch, set_limits};

/// How long handlers of the version before may go on.
const HANDOVER: Duration = Duration::from_secs(30);

/// An app that serves.
#[derive(Clone)]
pub struct Deployed {
    /// Its manifest.
    pub app: Arc<App>,
    /// Its components, in the order of the manifest.
    pub components: Vec<Served>,
}

/// A component that serves.
#[derive(Clone)]
pub struct Served {
    /// Its name.
    pub id: ComponentId,
    /// Its version.
    pub version: Arc<Version>,
    /// Its storage.
    pub database: Database,
    /// What its guests and statements are charged to.
    pub(crate) account: Arc<Account>,
    /// What bounds its ways out.
    pub(crate) ways_out: WaysOut,
    /// Who is told of its storage's work.
    pub(crate) watch: Arc<DatabaseWatch>,
    /// The folder with its copy of `files`, whether there are any or not.
    pub(crate) files: PathBuf,
}

/// What [`Node::switch`] needs; it goes on by itself once it has begun.
struct Switch {
    deployed: Deployed,
    table: RouteTable<Target>,
    /// Components of the version before that are no more.
    gone: Vec<ComponentId>,
    /// No other deployment until this one is done.
    _deploying: OwnedMutexGuard<()>,
}

impl Node {
    /// Deploy an app in place of what it was. `base` is the folder of its manifest. After an error nothing that
    /// serves has changed. Dropping the future gives up what is only being prepared; once the app is being switched on,
    /// that is done to its end.
    pub async fn deploy(self: &Arc<Self>, app: App, base: &Path) -> Result<Deployed, DeployFailed> {
        let deploying = Arc::clone(&self.deploying).lock_owned().await;
        self.check_stream(&app).await?;
        self.check_reservations(&app).await?;
        let prepared = self.prepare_all(&app, base).await?;
        let (table, gone) = {
            let apps = self.apps.read().await;
            let serving = apps.values().flat_map(|deployed| &deployed.components);
            let served = serving.chain(prepared.iter().map(|component| &component.served));
            let accounts = served.map(|served| (served.id.clone(), Arc::clone(&served.account))).collect();
            let table = self.route_table(&app, &apps, &accounts);
            let before = apps.get(app.name.as_str()).map(|before| before.components.clone()).unwrap_or_default();
            let is_gone = |id: &ComponentId| app.component(id.component()).is_none();
            let gone: Vec<_> = before.into_iter().map(|served| served.id).filter(is_gone).collect();
            (table.map_err(|problem| failed(&app, vec![problem], Vec::new()))?, gone)
        };
        self.claim(&app).await?;
        if let Err(error) = migrate(&app, &prepared).await {
            if !self.apps.read().await.contains_key(app.name.as_str()) {
                self.bus().release(app.name.as_str()).await;
            }
            return Err(error);
        }
        let deployed = Deployed {
            app: Arc::new(app),
            components: prepared.into_iter().map(|component| component.served).collect(),
        };
        let switch = Switch { deployed: deployed.clone(), table, gone, _deploying: deploying };
        let node = Arc::clone(self);
        if let Err(error) = tokio::spawn(async move { node.switch(switch).await }).await {
            let message = format!("switching on ended badly: {error}");
            let problem = ComponentProblem { component: deployed.app.name.to_string(), message };
            return Err(failed(&deployed.app, vec![problem], Vec::new()));
        }
        Ok(deployed)
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

    /// What is set aside for all apps together must be there.
    async fn check_reservations(&self, app: &App) -> Result<(), DeployFailed> {
        let apps = self.apps.read().await;
        let others = apps.values().map(|deployed| &*deployed.app).filter(|other| other.name != app.name);
        let problems = reserve::check(others.chain([app]), &self.totals);
        if problems.is_empty() { Ok(()) } else { Err(failed(app, problems, Vec::new())) }
    }

    /// Everything is ready: let it serve. New routes and new code come at once; events follow, each component's as
    /// soon as the handlers of its version before have ended.
    async fn switch(&self, switch: Switch) {
        let Switch { deployed, table, gone, _deploying } = switch;
        let app = &deployed.app;
        futures::future::join_all(gone.iter().map(|id| self.events.stop(id, HANDOVER))).await;
        let versions = deployed.components.iter().map(|served| Arc::clone(&served.version));
        self.engine.install(app.name.as_str(), versions);
        self.dispatch.admit(app.name.as_str(), self.admissions(app));
        self.routes.set(table);
        for id in &gone {
            self.metrics().remove(id);
            self.logs().remove(id);
        }
        let starting = deployed.components.iter().filter_map(|served| {
            let component = app.component(served.id.component())?;
            let limits = storage_limits(&served.database.limits(), &component.hull.limits);
            served.database.set_limits(limits);
            let metrics = self.metrics().component(&served.id);
            served.watch.set(Arc::clone(&served.account), Arc::clone(&metrics));
            set_limits(&metrics, app, component);
            let config = ComponentConfig::from_manifest(app, component, served.database.clone(), metrics);
            Some(self.events.start(config, HANDOVER))
        });
        futures::future::join_all(starting).await;
        let before = self.apps.write().await.insert(app.name.to_string(), deployed.clone());
        let sweeping = tokio::task::spawn_blocking(move || sweep_files(&deployed, before.as_ref()));
        if let Err(error) = sweeping.await {
            tracing::warn!(%error, "old copies of files could not be removed");
        }
    }

    fn admissions(&self, app: &App) -> Vec<(ComponentId, Admission)> {
        let mut compartments: BTreeMap<Name, Arc<Compartment>> = BTreeMap::new();
        let mut admissions = Vec::with_capacity(app.components.len());
        for component in &app.components {
            let (name, bulkhead) = app.bulkhead_of(component);
            let compartment = compartments.entry(name.clone()).or_insert_with(|| {
                Compartment::new(name.as_str(), bulkhead_limits(&bulkhead), bulkhead_bound(&bulkhead))
            });
            let limits = &component.hull.limits;
            let id = ComponentId::new(&app.name, &component.name);
            let concurrency =
                Compartment::new(component.name.as_str(), own_limits(limits.concurrency), Resource::Concurrency);
            let observer = Arc::new(Counting(self.metrics().component(&id)));
            let compartment = Arc::clone(compartment);
            let body_in_bytes_max = limits.body_in_max.get();
            let time = limits.time;
            admissions.push((id, Admission { compartment, concurrency, body_in_bytes_max, time, observer }));
        }
        admissions
    }
}

pub(crate) fn failed(app: &App, problems: Vec<ComponentProblem>, migrated: Vec<String>) -> DeployFailed {
    DeployFailed { app: app.name.to_string(), problems, migrated }
}
