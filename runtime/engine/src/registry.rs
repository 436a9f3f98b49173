//! The engine as the rest of the host sees it: versions are prepared, installed under their component's name, and
//! invoked.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hull_dispatch::{Body, Invoke};
use hull_invocation::{ComponentId, Event, EventOutcome, Failure, Invocation, Resource};
use wasmtime::component::Linker;

use crate::cache::CodeCache;
use crate::config::{EngineConfig, Flavor, host_config};
use crate::deploy::{ComponentSpec, Version, prepare};
use crate::epoch::Ticker;
use crate::error::DeployError;
use crate::event::Delivered;
use crate::memory::HostMemory;
use crate::pool::Sweeper;
use crate::state::{HostState, linker};

/// Compiles, installs and runs components. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

type Installed = HashMap<ComponentId, Arc<Version>>;

/// What every invocation needs.
pub(crate) struct Shared {
    pub(crate) cache: CodeCache,
    pub(crate) ticker: Ticker,
    pub(crate) memory: Arc<HostMemory>,
    sequential: Runner,
    concurrent: Runner,
    installed: ArcSwap<Installed>,
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
        let sweeper = Arc::new(Sweeper::new(&engine)?);
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
        self.installed.load().values().map(|version| version.discard_idle()).sum()
    }

    /// A guest was refused memory while it ran: those who were told to give way and have nothing that runs give what
    /// waits for its next invocation.
    fn give_way_if_short<T>(&self, result: &Result<T, Failure>) {
        if !matches!(result, Err(Failure::Shed { resource: Resource::Host, .. })) {
            return;
        }
        for version in self.installed.load().values().filter(|version| version.memory.is_told()) {
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
        let shared = Shared { cache, ticker, memory, sequential, concurrent, installed: ArcSwap::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Check, compile and link a component. Nothing that serves is touched.
    pub async fn prepare(&self, spec: ComponentSpec) -> Result<Arc<Version>, DeployError> {
        prepare(&self.shared, spec).await.map(Arc::new)
    }

    /// Let these versions serve, in place of all that served for the same app. Invocations that run finish on the
    /// version they began with.
    pub fn install(&self, app: &str, versions: impl IntoIterator<Item = Arc<Version>>) {
        let fresh: Vec<_> = versions.into_iter().collect();
        let before = self.shared.installed.rcu(|installed| {
            let mut next = Installed::clone(installed);
            next.retain(|id, _| id.app() != app);
            next.extend(fresh.iter().map(|version| (version.component.clone(), Arc::clone(version))));
            next
        });
        let replaced = before.values().filter(|version| version.component.app() == app);
        replaced.filter(|version| !fresh.iter().any(|kept| Arc::ptr_eq(kept, version))).for_each(|old| old.retire());
    }

    /// What serves, by component.
    pub fn installed(&self) -> Vec<Arc<Version>> {
        let mut versions: Vec<_> = self.shared.installed.load().values().cloned().collect();
        versions.sort_by(|one, other| one.component.cmp(&other.component));
        versions
    }

    fn version(&self, component: &ComponentId) -> Result<Arc<Version>, Failure> {
        let installed = self.shared.installed.load();
        installed.get(component).cloned().ok_or_else(|| Failure::UnknownComponent(component.clone()))
    }
}

#[async_trait]
impl Invoke for Engine {
    async fn http(
        &self,
        invocation: Invocation,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Failure> {
        let version = self.version(&invocation.target)?;
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
        let version = self.version(&invocation.target)?;
        let delivered = Delivered { event, attempt, expects_reply };
        let result = crate::event::serve(&self.shared, version, invocation, delivered).await;
        self.shared.give_way_if_short(&result);
        result
    }
}
