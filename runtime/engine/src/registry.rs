//! The engine as the rest of the host sees it: versions are prepared, installed under their component's name, and
//! invoked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hull_dispatch::{Account, Body, Invoke};
use hull_invocation::{ComponentId, Event, EventOutcome, Failure, Invocation, Pinned, Resource, VersionId};
use hull_threads::aside;
use wasmtime::component::Linker;

use crate::cache::CodeCache;
use crate::config::{EngineConfig, Flavor, host_config};
use crate::deploy::{Linked, Version, prepare};
use crate::epoch::Ticker;
use crate::error::DeployError;
use crate::event::Delivered;
use crate::flags::{decide_event, decide_request};
use crate::memory::HostMemory;
use crate::pool::Sweeper;
use crate::replaced::Replaced;
use crate::spec::ComponentSpec;
use crate::state::{HostState, linker};
use crate::unload::Unloader;

/// Compiles, installs and runs components. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What serves: each app's revision as one, so that whoever has it has all of it.
type Installed = HashMap<Arc<str>, Revision>;

/// The versions of one revision of an app. Held by every invocation that it serves: a version lives for as long as one
/// that began in its revision may still call it.
#[derive(Clone)]
struct Revision(Pinned);

struct Versions(HashMap<ComponentId, Arc<Version>>);

impl Revision {
    fn new(versions: impl IntoIterator<Item = Arc<Version>>) -> Self {
        let versions = versions.into_iter().map(|version| (version.component.clone(), version));
        Self(Pinned::new(Versions(versions.collect())))
    }

    fn versions(&self) -> Option<Arc<Versions>> {
        self.0.get()
    }
}

/// What every invocation needs.
pub(crate) struct Shared {
    pub(crate) cache: CodeCache,
    pub(crate) ticker: Ticker,
    pub(crate) memory: Arc<HostMemory>,
    sequential: Runner,
    concurrent: Runner,
    installed: ArcSwap<Installed>,
    replaced: Replaced,
    unloader: Unloader,
}

pub(crate) struct Runner {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Linker<HostState>,
    pub(crate) sweeper: Arc<Sweeper>,
}

impl Runner {
    fn new(flavor: Flavor, instances_max: u32) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&host_config(flavor, instances_max))?;
        let linker = linker(&engine, flavor)?;
        let sweeper = Arc::new(Sweeper::new(&engine, instances_max)?);
        Ok(Self { engine, linker, sweeper })
    }
}

impl Shared {
    pub(crate) fn runner(&self, flavor: Flavor) -> &Runner {
        match flavor {
            Flavor::Sequential => &self.sequential,
            Flavor::Concurrent => &self.concurrent,
        }
    }

    /// Discard the instances that wait for an invocation; how many there were.
    pub(crate) fn reclaim(&self) -> usize {
        self.serving().iter().map(|version| version.discard_idle()).sum()
    }

    /// A component that serves, or served before, if it is of that version: whoever deploys it again loads and links it no
    /// second time.
    pub(crate) fn linked(&self, component: &ComponentId, id: VersionId) -> Option<Linked> {
        let installed = self.installed.load();
        let versions = installed.get(component.app()).and_then(Revision::versions);
        let serving = versions.and_then(|versions| versions.0.get(component).cloned());
        let serving = serving.filter(|version| version.id == id).map(|version| version.linked());
        serving.or_else(|| self.replaced.linked(component, id))
    }

    /// Every version that serves.
    fn serving(&self) -> Vec<Arc<Version>> {
        let installed = self.installed.load();
        let revisions = installed.values().filter_map(Revision::versions);
        revisions.flat_map(|revision| revision.0.values().cloned().collect::<Vec<_>>()).collect()
    }

    /// A guest was refused memory while it ran: those who were told to give way and have nothing that runs give what
    /// waits for its next invocation.
    fn give_way_if_short<T>(&self, result: &Result<T, Failure>) {
        if !matches!(result, Err(Failure::Shed { resource: Resource::Host, .. })) {
            return;
        }
        for version in self.serving().iter().filter(|version| version.memory.is_told()) {
            if version.discard_idle() > 0 {
                // What was asked for is given.
                let _ = version.memory.must_give_way();
            }
        }
    }
}

impl Engine {
    /// Set aside the pools and start the tick. Fails where the machine does not give the address space or a thread.
    pub fn new(config: EngineConfig) -> wasmtime::Result<Self> {
        let sequential = Runner::new(Flavor::Sequential, config.instances_max)?;
        let concurrent = Runner::new(Flavor::Concurrent, config.instances_max)?;
        let engines = vec![sequential.engine.clone(), concurrent.engine.clone()];
        let ticker = Ticker::start(engines, config.tick)?;
        let cache = CodeCache::new(config.cache_dir, config.compile_program, config.compile_bounds);
        let memory = HostMemory::new(config.memory_bytes);
        let (installed, replaced, unloader) = (ArcSwap::default(), Replaced::default(), Unloader::start()?);
        let shared = Shared { cache, ticker, memory, sequential, concurrent, installed, replaced, unloader };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Have what nobody uses of the pools given back whenever the host has come to rest, until the engine is gone. Dropping
    /// this ends it.
    pub fn give_back_at_rest(&self) -> impl Future<Output = ()> + Send + 'static {
        let engine = Arc::downgrade(&self.shared);
        async move {
            loop {
                hull_threads::at_rest().await;
                let Some(shared) = engine.upgrade() else { return };
                let sweepers = [&shared.sequential, &shared.concurrent].map(|runner| Arc::clone(&runner.sweeper));
                drop(shared);
                // What was broken off is tried again the next time.
                let _ = hull_threads::blocking(move || sweepers.iter().for_each(|sweeper| sweeper.give_back())).await;
            }
        }
    }

    /// Check, compile and link a component. Nothing that serves is touched.
    pub async fn prepare(&self, spec: ComponentSpec) -> Result<Arc<Version>, DeployError> {
        let (shared, component) = (Arc::clone(&self.shared), spec.id.clone());
        let prepared = aside(async move { prepare(&shared, spec).await.map(Arc::new) }).await;
        prepared.unwrap_or_else(|source| Err(DeployError::Unprepared { component, source }))
    }

    /// These versions, as one: what an invocation is pinned to that is to be served by them.
    pub fn revision(&self, versions: impl IntoIterator<Item = Arc<Version>>) -> Pinned {
        Revision::new(versions).0
    }

    /// Make an instance of a version that does not serve yet, within `time` and on that account, and see that it starts.
    pub async fn warm(
        &self,
        version: &Arc<Version>,
        revision: &Pinned,
        account: &Arc<Account>,
        time: Duration,
    ) -> Result<(), Failure> {
        crate::warm::instantiate(&self.shared, version, revision, account, time).await
    }

    /// Ask a version something that does not serve yet, past the door.
    pub async fn ask(
        &self,
        version: &Arc<Version>,
        revision: &Pinned,
        request: http::Request<Body>,
        time: Duration,
    ) -> Result<http::Response<Body>, Failure> {
        crate::warm::ask(&self.shared, version, revision, request, time).await
    }

    /// Let a revision serve, in place of what served for the same app. Invocations that run finish on the version they
    /// began with, and so does what they call.
    pub fn install(&self, app: &str, revision: &Pinned) {
        let app: Arc<str> = app.into();
        let before = self.shared.installed.rcu(|installed| {
            let mut next = Installed::clone(installed);
            next.insert(Arc::clone(&app), Revision(revision.clone()));
            next
        });
        if let Some(old) = before.get(&app) {
            if let (Some(old), Some(now)) = (old.versions(), revision.get::<Versions>()) {
                let left = self.shared.replaced.on_switch(&app, &old.0, &now.0);
                left.into_iter().for_each(|linked| self.shared.unloader.take_linked(linked));
            }
            self.retire(&old.0);
        }
    }

    /// Nothing of an app serves any more. Invocations that run finish on the versions they began with.
    pub fn uninstall(&self, app: &str) {
        let before = self.shared.installed.rcu(|installed| {
            let mut next = Installed::clone(installed);
            next.remove(app);
            next
        });
        if let Some(old) = before.get(app) {
            self.retire(&old.0);
        }
        let left = self.shared.replaced.on_uninstall(app);
        left.into_iter().for_each(|linked| self.shared.unloader.take_linked(linked));
    }

    /// A revision is called only by what is left of it: it keeps no instances from now on.
    pub fn retire(&self, revision: &Pinned) {
        for version in revision.get::<Versions>().iter().flat_map(|versions| versions.0.values()) {
            version.retire();
            self.shared.unloader.take(Arc::clone(version));
        }
    }

    /// What serves, by component.
    pub fn installed(&self) -> Vec<Arc<Version>> {
        let mut versions = self.shared.serving();
        versions.sort_by(|one, other| one.component.cmp(&other.component));
        versions
    }

    /// The version of the revision that the invocation belongs to; it belongs to what serves, if to none yet.
    fn version(&self, invocation: &Invocation) -> Result<Arc<Version>, Failure> {
        let component = &invocation.target;
        let unknown = || Failure::UnknownComponent(component.clone());
        let frame = invocation.lineage.frame();
        if frame.pinned().is_none() {
            let installed = self.shared.installed.load();
            frame.pin(&installed.get(component.app()).ok_or_else(unknown)?.0);
        }
        let versions = frame.pinned().and_then(Pinned::get::<Versions>);
        versions.and_then(|versions| versions.0.get(component).cloned()).ok_or_else(unknown)
    }
}

#[async_trait]
impl Invoke for Engine {
    async fn http(
        &self,
        invocation: Invocation,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Failure> {
        let version = self.version(&invocation)?;
        decide_request(&version, &invocation, request.headers());
        let result = crate::http::serve(&self.shared, version, invocation, request).await;
        self.shared.give_way_if_short(&result);
        result
    }

    async fn event(
        &self,
        invocation: Invocation,
        event: Event,
        attempt: u32,
        expects_reply: bool,
    ) -> Result<EventOutcome, Failure> {
        let version = self.version(&invocation)?;
        decide_event(&version, &invocation, &event);
        let delivered = Delivered { event, attempt, expects_reply };
        let result = crate::event::serve(&self.shared, version, invocation, delivered).await;
        self.shared.give_way_if_short(&result);
        result
    }
}
