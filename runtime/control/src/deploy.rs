//! Deploying an app: everything is read, checked, compiled and migrated first; then it is switched on as one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hull_dispatch::{Admission, Compartment, Share};
use hull_engine::Version;
use hull_events::ComponentConfig;
use hull_gateway::{ComponentTarget, RouteTable, StaticAnswer, Target};
use hull_invocation::ComponentId;
use hull_manifest::{App, Component, HttpTarget, Name, Route, StaticResponse, TriggerRoute};
use hull_storage::{Database, Migration};
use tokio::sync::OwnedMutexGuard;

use crate::bytes::component_bytes;
use crate::component::{bulkhead_limits, component_spec, database_options, own_limits, storage_limits};
use crate::error::{ComponentProblem, DeployFailed};
use crate::files::{FilePlaces, copy_files};
use crate::migrations::read_migrations;
use crate::node::Node;
use crate::observe::Counting;

/// Components that are prepared at once: compiling uses all cores by itself.
const PREPARING_MAX: usize = 2;
/// How long handlers of the version before may go on.
const HANDOVER: Duration = Duration::from_secs(30);

/// What the folders with a component's copied files begin with.
const FILES: &str = "files-";

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
    /// The folder with its copy of `files`, whether there are any or not.
    files: PathBuf,
}

/// A component that is ready to be switched on.
struct Prepared {
    served: Served,
    migrations: Vec<Migration>,
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
        let prepared = self.prepare_all(&app, base).await?;
        let (table, gone) = {
            let apps = self.apps.read().await;
            let table = self.route_table(&app, &apps);
            let before = apps.get(app.name.as_str()).map(|before| before.components.clone()).unwrap_or_default();
            let is_gone = |id: &ComponentId| app.component(id.component()).is_none();
            let gone: Vec<_> = before.into_iter().map(|served| served.id).filter(is_gone).collect();
            (table.map_err(|problem| failed(&app, vec![problem], Vec::new()))?, gone)
        };
        migrate(&app, &prepared).await?;
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

    async fn prepare_all(self: &Arc<Self>, app: &App, base: &Path) -> Result<Vec<Prepared>, DeployFailed> {
        let mut shares: BTreeMap<Name, Arc<Share>> = BTreeMap::new();
        let preparing = app.components.iter().map(|component| {
            let (name, bulkhead) = app.bulkhead_of(component);
            let share = shares.entry(name.clone()).or_insert_with(|| Share::new(bulkhead.cpu_weight.get()));
            self.prepare(app, component, base, Arc::clone(share))
        });
        let preparing: Vec<_> = preparing.collect();
        let results: Vec<_> = stream::iter(preparing).buffered(PREPARING_MAX).collect().await;
        let mut prepared = Vec::with_capacity(results.len());
        let mut problems = Vec::new();
        for result in results {
            match result {
                Ok(component) => prepared.push(component),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(prepared) } else { Err(failed(app, problems, Vec::new())) }
    }

    async fn prepare(
        self: &Arc<Self>,
        app: &App,
        component: &Component,
        base: &Path,
        share: Arc<Share>,
    ) -> Result<Prepared, ComponentProblem> {
        let problem = |message: String| ComponentProblem::new(&component.name, message);
        let id = ComponentId::new(&app.name, &component.name);
        let bytes = component_bytes(component, base).await?;
        let directory = self.state_dir.component(&id).map_err(|error| problem(error.to_string()))?;
        // What serves keeps its own copy until the switch.
        let files = directory.path().join(format!("{FILES}{}", hull_clock::time_ordered_id()));
        let read = {
            let (component, base, target) = (component.clone(), base.to_owned(), files.clone());
            let state_dir = self.state_dir.path().to_owned();
            move || {
                let places = FilePlaces { base: &base, state_dir: &state_dir, target: &target };
                Ok((read_migrations(&component, &base)?, copy_files(&component, &places)?))
            }
        };
        let read = tokio::task::spawn_blocking(read).await;
        let (migrations, mounts) = read.map_err(|error| problem(error.to_string()))??;
        let database = self.database(&id, component, &directory);
        let account = self.run_queue.account(&share, component.hull.limits.cpu_rate.map(hull_manifest::Percent::get));
        let spec = component_spec(self, app, component, &id, bytes, mounts, database.clone(), account);
        let began = hull_clock::now();
        let version = self.engine.prepare(spec).await.map_err(|error| problem(error.to_string()))?;
        if version.compiled() {
            let took_ms = hull_clock::now().saturating_duration_since(began).as_millis() as u64;
            tracing::info!(component = %id, version = %version.id(), took_ms, "compiled");
        }
        Ok(Prepared { served: Served { id, version, database, files }, migrations })
    }

    fn database(&self, id: &ComponentId, component: &Component, directory: &hull_storage::ComponentDir) -> Database {
        let limits = &component.hull.limits;
        let mut databases = self.databases.lock();
        if let Some(database) = databases.get(id) {
            return database.clone();
        }
        let database = Database::new(directory, database_options(id, limits));
        databases.insert(id.clone(), database.clone());
        database
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
            let compartment = compartments
                .entry(name.clone())
                .or_insert_with(|| Compartment::new(name.as_str(), bulkhead_limits(&bulkhead)));
            let limits = &component.hull.limits;
            let id = ComponentId::new(&app.name, &component.name);
            let concurrency = Compartment::new(component.name.as_str(), own_limits(limits.concurrency));
            let observer = Arc::new(Counting(self.metrics().component(&id)));
            let compartment = Arc::clone(compartment);
            let body_in_bytes_max = limits.body_in_max.get();
            let time = limits.time;
            admissions.push((id, Admission { compartment, concurrency, body_in_bytes_max, time, observer }));
        }
        admissions
    }

    /// The routes of every app, with this one in place of what it was.
    fn route_table(
        &self,
        app: &App,
        apps: &BTreeMap<String, Deployed>,
    ) -> Result<RouteTable<Target>, ComponentProblem> {
        let others = apps.values().map(|deployed| &*deployed.app).filter(|other| other.name != app.name);
        let mut routes = Vec::new();
        for app in others.chain([app]) {
            for trigger in &app.http_triggers {
                let TriggerRoute::Public(route) = &trigger.route else { continue };
                let target = match &trigger.target {
                    HttpTarget::Static(response) => Some(Target::Static(static_answer(response))),
                    HttpTarget::Component(name) => self.component_target(app, name.as_str(), route),
                };
                routes.extend(target.map(|target| (route.clone(), target)));
            }
        }
        RouteTable::new(routes).map_err(|duplicate| ComponentProblem {
            component: app.name.to_string(),
            message: format!("{duplicate}; it is served already, by this app or another"),
        })
    }

    fn component_target(&self, app: &App, name: &str, route: &Route) -> Option<Target> {
        let component = app.component(name)?;
        let policy = app.routes.iter().find(|(with_policy, _)| with_policy.same_paths(route)).map(|(_, policy)| policy);
        let limits = &component.hull.limits;
        let id = ComponentId::new(&app.name, &component.name);
        let time = policy.and_then(|policy| policy.timeout).map_or(limits.time, |time| time.min(limits.time));
        let body_max = policy.and_then(|policy| policy.body_max);
        let body_in_max = body_max.map_or(limits.body_in_max, |most| most.min(limits.body_in_max));
        Some(Target::Component(ComponentTarget {
            time,
            body_in_bytes_max: body_in_max.get(),
            metrics: self.metrics().component(&id),
            log: self.logs().component(&id),
            id,
        }))
    }
}

/// Migrate every component's database, or tell which have been when one cannot be.
async fn migrate(app: &App, prepared: &[Prepared]) -> Result<(), DeployFailed> {
    let mut migrated = Vec::new();
    for component in prepared {
        let served = &component.served;
        match served.database.migrate(&component.migrations).await {
            Ok(numbers) => {
                let name = |number| format!("migration {number} of {}", served.id.component());
                migrated.extend(numbers.into_iter().map(name));
            }
            Err(error) => {
                let problem =
                    ComponentProblem { component: served.id.component().to_owned(), message: error.to_string() };
                return Err(failed(app, vec![problem], migrated));
            }
        }
    }
    Ok(())
}

/// Remove the copies of `files` that nobody serves any more. Those of the version before stay until the next
/// deployment: its last invocations may read them.
fn sweep_files(deployed: &Deployed, before: Option<&Deployed>) {
    let kept: Vec<&Path> = [Some(deployed), before]
        .into_iter()
        .flatten()
        .flat_map(|deployed| &deployed.components)
        .map(|served| served.files.as_path())
        .collect();
    for served in &deployed.components {
        let Some(Ok(entries)) = served.files.parent().map(std::fs::read_dir) else { continue };
        for entry in entries.flatten() {
            let is_copy = entry.file_name().to_str().is_some_and(|name| name.starts_with(FILES));
            let path = entry.path();
            if is_copy
                && !kept.contains(&path.as_path())
                && let Err(error) = std::fs::remove_dir_all(&path)
            {
                tracing::warn!(%error, path = %path.display(), "an old copy of files could not be removed");
            }
        }
    }
}

fn failed(app: &App, problems: Vec<ComponentProblem>, migrated: Vec<String>) -> DeployFailed {
    DeployFailed { app: app.name.to_string(), problems, migrated }
}

fn static_answer(response: &StaticResponse) -> StaticAnswer {
    let mut headers = HeaderMap::new();
    for (name, value) in &response.headers {
        // The manifest has checked both.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            headers.append(name, value);
        }
    }
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::OK);
    StaticAnswer { status, headers, body: response.body.clone().into() }
}
