//! Preparing a deployment: read, check, copy, compile and migrate, while what serves goes on untouched.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use hull_dispatch::{CpuBounds, Share};
use hull_engine::ComponentBytes;
use hull_invocation::ComponentId;
use hull_manifest::{App, Component, Name};
use hull_storage::{Database, DatabaseOptions, Migration};
use hull_threads::aside;

use crate::deploy::bytes::{COMPONENT_BYTES_MAX, component_bytes, component_path};
use crate::deploy::component::{Parts, WaysOut, component_spec, database_options};
use crate::deploy::contracts::read_contract;
use crate::deploy::files::{FilePlaces, copy_files};
use crate::deploy::migrations::read_migrations;
use crate::deploy::reaching::Reaching;
use crate::deploy::{Deployed, Served, failed};
use crate::error::{ComponentProblem, DeployFailed};
use crate::node::resources::DatabaseWatch;
use crate::node::{Node, Preparing};
use crate::revisions::{Content, Record};

/// Components that are prepared at once: compiling uses all cores by itself.
const PREPARING_MAX: usize = 2;

/// What the folders with a component's copied files begin with.
const FILES: &str = "files-";

/// The folder in which an app's files lie.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    pub(crate) path: &'a Path,
    /// What the host has written it from, if it has: then it lies in the state directory, and each file was found to be
    /// what the record says.
    pub(crate) kept: Option<&'a Record>,
    /// It has not served yet: what comes back after a restart was warmed when it was deployed.
    pub(crate) is_new: bool,
    /// It runs beside what serves and must not show there: it has bounds of its own, and is not asked how it is.
    pub(crate) is_apart: bool,
}

impl<'a> Base<'a> {
    /// Written by the host from what it keeps.
    pub(crate) fn ours(path: &'a Path, record: &'a Record, is_new: bool, is_apart: bool) -> Self {
        Self { path, kept: Some(record), is_new, is_apart }
    }
}

/// A component that is ready to be switched on.
pub(crate) struct Prepared {
    pub(crate) served: Served,
    migrations: Vec<Migration>,
    /// Where it kept its data before, if that was elsewhere.
    pub(crate) left_behind: Vec<Database>,
}

impl Node {
    pub(crate) async fn prepare_all(
        self: &Arc<Self>,
        app: &App,
        base: Base<'_>,
    ) -> Result<Vec<Prepared>, DeployFailed> {
        let before = self.apps.read().await.get(app.name.as_str()).cloned();
        let before = before.as_ref().filter(|_| !base.is_apart);
        let mut shares: BTreeMap<Name, Arc<Share>> = BTreeMap::new();
        let preparing = app.components.iter().map(|component| {
            let (name, bulkhead) = app.bulkhead_of(component);
            let kept = || before.and_then(|before| before.share(&name)).cloned();
            let new = || Share::new(bulkhead.cpu_weight.get());
            let share = shares.entry(name.clone()).or_insert_with(|| kept().unwrap_or_else(new));
            let served = before.and_then(|before| before.served(&component.name));
            let preparing = self.prepare(app, component, base, (Arc::clone(share), served));
            async {
                let prepared = preparing.await;
                self.preparing.send_modify(|preparing| preparing.ready += 1);
                prepared
            }
        });
        let preparing: Vec<_> = preparing.collect();
        self.preparing.send_replace(Preparing { ready: 0, total: preparing.len() });
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
        base: Base<'_>,
        (share, before): (Arc<Share>, Option<&Served>),
    ) -> Result<Prepared, ComponentProblem> {
        let problem = |message: String| ComponentProblem::new(&component.name, message);
        let id = ComponentId::new(&app.name, &component.name);
        let (bytes, signed_by) = self.bytes(component, base).await?;
        let directory = self.state_dir.component(&id).map_err(|error| problem(error.to_string()))?;
        // What serves keeps its own copy until the switch.
        let files = directory.path().join(format!("{FILES}{}", hull_clock::time_ordered_id()));
        let read = {
            let (component, path, target) = (component.clone(), base.path.to_owned(), files.clone());
            let state_dir = base.kept.is_none().then(|| self.state_dir.path().to_owned());
            let dialect = self.stores.dialect(&component);
            move || {
                let places = FilePlaces { base: &path, state_dir: state_dir.as_deref(), target: &target };
                let contract = read_contract(&component, &path)?.map(Arc::new);
                Ok((read_migrations(&component, &path, dialect)?, copy_files(&component, &places)?, contract))
            }
        };
        let read = aside(async move { read() }).await;
        let (migrations, mounts, contract) = read.map_err(|error| problem(error.to_string()))??;
        let (database, watch) = self.database(app, &id, component, &directory);
        let rate = component.hull.limits.cpu_rate.map(hull_manifest::Percent::get);
        let bounds = CpuBounds { rate, reserve: component.hull.reserve.cpu.get() };
        let account = match before {
            None => self.run_queue.account(&share, bounds),
            Some(before) => self.run_queue.account_after(&before.account, &share, bounds),
        };
        let ways_out = WaysOut::of(self, &id, component, contract.as_deref(), before.map(|before| &before.ways_out));
        let read_by = if base.is_apart {
            // The component that serves does not pay for what a parallel run reads of its data.
            let own = Arc::new(DatabaseWatch::default());
            own.set(Arc::clone(&account), self.metrics().component(&id));
            database.charged_to(own)
        } else {
            database.clone()
        };
        let parts = Parts {
            id: id.clone(),
            bytes,
            mounts,
            database: read_by,
            account: Arc::clone(&account),
            ways_out: ways_out.clone(),
            flags: self.flags.live(&app.name).map_err(|error| problem(error.to_string()))?,
        };
        let spec = component_spec(self, app, component, parts);
        let began = hull_clock::now();
        let version = self.engine.prepare(spec).await.map_err(|error| problem(error.to_string()))?;
        if let Some(cpu) = version.compiled() {
            let took_ms = hull_clock::now().saturating_duration_since(began).as_millis() as u64;
            let cpu_ms = cpu.as_millis() as u64;
            tracing::info!(component = %id, version = %version.id(), took_ms, cpu_ms, "compiled");
        }
        let left_behind = self.left_behind(&id, component, &directory);
        let served = Served { id, version, signed_by, database, account, ways_out, watch, contract, files };
        Ok(Prepared { served, migrations, left_behind })
    }

    /// A component's bytes, and whose key has signed them. What is kept is read only if somebody must look at it.
    async fn bytes(
        &self,
        component: &Component,
        base: Base<'_>,
    ) -> Result<(ComponentBytes, Option<Name>), ComponentProblem> {
        let kept = base.kept.and_then(|record| record.components.get(component.name.as_str()));
        if let (Some(kept), None) = (kept, &self.keys)
            // One that is too large is refused with all the words for that.
            && kept.bytes <= COMPONENT_BYTES_MAX
        {
            let path = component_path(component, base.path)?;
            return Ok((ComponentBytes::Kept { path, version: kept.sha256.version() }, None));
        }
        let (own, path) = (component.clone(), base.path.to_owned());
        let expected = kept.map(|kept| kept.sha256.clone());
        let read = aside(async move {
            let bytes = component_bytes(&own, &path)?;
            if expected.is_some_and(|expected| Content::of(&bytes) != expected) {
                let what = "the bytes that the host keeps of it have changed; deploy it again".to_owned();
                return Err(ComponentProblem::new(&own.name, what));
            }
            Ok(bytes)
        });
        let bytes = read.await.map_err(|error| ComponentProblem::new(&component.name, error.to_string()))??;
        let signed_by = self.signer(component, base.path, &bytes).await?;
        Ok((ComponentBytes::Read(bytes), signed_by))
    }

    fn database(
        &self,
        app: &App,
        id: &ComponentId,
        component: &Component,
        directory: &hull_storage::ComponentDir,
    ) -> (Database, Arc<DatabaseWatch>) {
        let limits = &component.hull.limits;
        let mut databases = self.databases.lock();
        let opened = databases.entry((id.clone(), self.stores.server(component))).or_insert_with(|| {
            let watch = Arc::default();
            let sabotage = self.sabotage;
            let mut options = DatabaseOptions { sabotage, ..database_options(id, limits, &watch) };
            options.limits.connections_max = app.bulkhead_of(component).1.concurrency.get() as usize;
            (self.stores.open(component, directory, options), watch)
        });
        opened.clone()
    }
}

/// Migrate every component's database, and tell which have been, also when one cannot be.
pub(crate) async fn migrate(
    app: &App,
    prepared: &[Prepared],
    reaching: &Reaching<'_>,
) -> Result<Vec<String>, DeployFailed> {
    let mut migrated = Vec::new();
    for component in prepared {
        let served = &component.served;
        // What a lost connection has left open is undone, and what was committed before is found when it is tried again.
        match reaching.reach(served.id.component(), move || served.database.migrate(&component.migrations)).await {
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
    Ok(migrated)
}

/// Remove the copies of `files` that nobody serves any more, of components that are no more as well. Those of the version
/// before stay until the next deployment: its last invocations may read them.
pub(crate) fn sweep_files(deployed: &Deployed, before: Option<&Deployed>) {
    let of_both = || [Some(deployed), before].into_iter().flatten().flat_map(|deployed| &deployed.components);
    let kept: Vec<&Path> = of_both().map(|served| served.files.as_path()).collect();
    // The folder of the app, in which each component has one, and that the one with its copies.
    let folder = of_both().find_map(|served| served.files.parent()?.parent());
    folder.into_iter().for_each(|folder| sweep(folder, &kept));
}

fn sweep(folder: &Path, kept: &[&Path]) {
    let within = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in within(folder).flat_map(|component| within(&component.path())) {
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

#[cfg(test)]
mod tests {
    use super::sweep;

    #[test]
    fn copies_that_nobody_serves_are_removed_whosever_they_are() {
        let app = tempfile::tempdir().expect("a folder");
        let [kept, old, gone, other] =
            ["web/files-1", "web/files-2", "no-more/files-3", "no-more/else"].map(|path| app.path().join(path));
        for folder in [&kept, &old, &gone, &other] {
            std::fs::create_dir_all(folder).expect("made");
            std::fs::write(folder.join("a"), "a").expect("written");
        }
        sweep(app.path(), &[&kept]);
        assert!(kept.join("a").exists() && other.join("a").exists());
        assert!(!old.exists(), "of a version that was replaced");
        assert!(!gone.exists(), "of a component that is no more");
    }
}
