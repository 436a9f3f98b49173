//! A version of a component, checked, compiled and linked: everything that can be done before its first invocation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hull_dispatch::Account;
use hull_invocation::{ComponentId, VersionId};
use hull_logging::LogSink;
use parking_lot::Mutex;
use wasmtime::component::{Component, InstancePre};
use wasmtime_wasi_http::p2::bindings::ProxyIndices;
use wasmtime_wasi_http::p3::bindings::ServiceIndices;

use crate::cache::CachedCode;
use crate::concurrent::Crew;
use crate::config::MEMORY_BYTES_MAX;
use crate::error::{CompileError, DeployError};
use crate::event::EventHandlerIndices;
use crate::inspect::{Exports, HttpHandler, inspect};
use crate::instance::Idle;
use crate::limits::InstanceLimits;
use crate::memory::ComponentMemory;
use crate::pool::Sweeper;
use crate::registry::Shared;
use crate::services::Provisions;
use crate::spec::{ComponentSpec, Mount, Reuse};
use crate::state::HostState;

/// Instances that are kept for the next invocation, per version.
const IDLE_MAX: usize = 64;

/// A version that is ready to serve.
pub struct Version {
    pub(crate) component: ComponentId,
    pub(crate) id: VersionId,
    pub(crate) exports: Exports,
    pub(crate) reuse: Reuse,
    pub(crate) limits: InstanceLimits,
    pub(crate) memory: Arc<ComponentMemory>,
    pub(crate) account: Arc<Account>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) log_sink: Arc<dyn LogSink>,
    pub(crate) provisions: Arc<Provisions>,
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) sweeper: Arc<Sweeper>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) idle: Mutex<Vec<Idle>>,
    pub(crate) crew: Crew,
    retired: AtomicBool,
    compiled: Option<Duration>,
}

/// Where a component's handlers are found in its instances.
pub(crate) struct Handlers {
    pub(crate) http: Option<HttpIndices>,
    pub(crate) event: Option<EventHandlerIndices>,
}

pub(crate) enum HttpIndices {
    V02(ProxyIndices),
    V03(ServiceIndices),
}

impl Version {
    /// The component it is a version of.
    pub fn component(&self) -> &ComponentId {
        &self.component
    }

    /// The digest of its bytes.
    pub fn id(&self) -> VersionId {
        self.id
    }

    /// What it exports and imports.
    pub fn exports(&self) -> &Exports {
        &self.exports
    }

    /// It is called only by what is left of its revision: let go of the instances that wait for an invocation, and keep
    /// none from now on.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.crew.dismiss();
        self.discard_idle();
    }

    /// For another deployment of the same bytes.
    pub(crate) fn linked(&self) -> Linked {
        Linked { exports: self.exports.clone(), pre: self.pre.clone(), handlers: Arc::clone(&self.handlers) }
    }

    /// Keep an instance for the next invocation, if there is room and there will be one.
    pub(crate) fn keep_idle(&self, instance: Idle) {
        let mut idle = self.idle.lock();
        // Looked at under the lock: whoever retires it takes the lock afterwards.
        if idle.len() < IDLE_MAX && !self.retired.load(Ordering::Acquire) {
            idle.push(instance);
        }
    }

    /// Discard the instances that wait for an invocation; how many there were.
    pub(crate) fn discard_idle(&self) -> usize {
        let idle = std::mem::take(&mut *self.idle.lock());
        idle.len() + self.crew.let_go_idle()
    }

    /// The CPU time that its guests have used so far.
    pub fn cpu_used(&self) -> Duration {
        self.account.used()
    }

    /// What the instances of its component have, in bytes.
    pub fn memory_used(&self) -> u64 {
        self.memory.used()
    }

    /// The CPU time that compiling it took, on its component's account; nothing if the cache held it.
    pub fn compiled(&self) -> Option<Duration> {
        self.compiled
    }
}

/// Check, compile and link.
pub(crate) async fn prepare(shared: &Shared, spec: ComponentSpec) -> Result<Version, DeployError> {
    let id = spec.bytes.version();
    let (linked, compiled) = match shared.linked(&spec.id, id) {
        Some(linked) => (linked, None),
        None => {
            let read = spec.bytes.read();
            let bytes = read.map_err(|source| DeployError::Unreadable { component: spec.id.clone(), source })?;
            link(shared, &spec, (id, &bytes)).await?
        }
    };
    check(&spec, &linked.exports)?;
    if let Some(cpu) = compiled {
        spec.account.charge_elsewhere(cpu);
    }
    let Linked { exports, pre, handlers } = linked;
    let sweeper = Arc::clone(&shared.runner(exports.flavor).sweeper);
    let memory = shared.memory.join(&spec.id, spec.memory_reserved_bytes);
    let provisions = Provisions {
        component: spec.id.clone(),
        settings: spec.settings,
        flags: spec.flags,
        serves_many: matches!(spec.reuse, Reuse::Concurrent { .. }),
        egress: spec.egress,
        grants: spec.grants,
        database: spec.database,
        messaging: spec.messaging,
        bus: spec.bus,
    };
    Ok(Version {
        component: spec.id,
        id,
        exports,
        reuse: spec.reuse,
        limits: spec.limits,
        memory,
        account: spec.account,
        environment: spec.environment,
        mounts: spec.mounts,
        log_sink: spec.log_sink,
        provisions: Arc::new(provisions),
        pre,
        sweeper,
        handlers,
        idle: Mutex::default(),
        crew: Crew::new(),
        retired: AtomicBool::new(false),
        compiled,
    })
}

/// Bytes as an engine knows them, with their code.
#[derive(Clone)]
pub(crate) struct Linked {
    exports: Exports,
    pre: InstancePre<HostState>,
    handlers: Arc<Handlers>,
}

/// Look at the bytes, get their code and link it; with the CPU time of the compiler.
async fn link(
    shared: &Shared,
    spec: &ComponentSpec,
    version: (VersionId, &[u8]),
) -> Result<(Linked, Option<Duration>), DeployError> {
    let exports = inspect(&spec.id, version.1)?;
    // Before anything is compiled.
    check(spec, &exports)?;
    let (component, compiled) = load(shared, spec, &exports, version).await?;
    let failed =
        |error: wasmtime::Error| DeployError::Link { component: spec.id.clone(), message: format!("{error:#}") };
    let linker = &shared.runner(exports.flavor).linker;
    let pre = linker.instantiate_pre(&component).map_err(|error| unlinked(&spec.id, &exports, &error))?;
    let http = match exports.http {
        Some(HttpHandler::V02) => Some(HttpIndices::V02(ProxyIndices::new(&pre).map_err(failed)?)),
        Some(HttpHandler::V03) => Some(HttpIndices::V03(ServiceIndices::new(&pre).map_err(failed)?)),
        None => None,
    };
    let event = exports.events.then(|| EventHandlerIndices::new(&pre)).transpose().map_err(failed)?;
    Ok((Linked { exports, pre, handlers: Arc::new(Handlers { http, event }) }, compiled))
}

fn check(spec: &ComponentSpec, exports: &Exports) -> Result<(), DeployError> {
    let component = spec.id.clone();
    let found = if exports.names.is_empty() { "nothing".to_owned() } else { exports.names.join(", ") };
    if spec.serves_http && exports.http.is_none() {
        let wanted = "wasi:http/incoming-handler@0.2 or wasi:http/handler@0.3";
        return Err(DeployError::MissingExport { component, trigger: "[[trigger.http]]", wanted, found });
    }
    if spec.serves_events && !exports.events {
        let wanted = "hull:messaging/handler@0.1.0";
        return Err(DeployError::MissingExport { component, trigger: "[[trigger.messaging]]", wanted, found });
    }
    if matches!(spec.reuse, Reuse::Concurrent { .. }) && exports.http != Some(HttpHandler::V03) {
        return Err(DeployError::NotConcurrent { component });
    }
    let transactions = exports.imports.iter().find(|import| import.starts_with("hull:transactions/"));
    if let (Reuse::Concurrent { .. }, Some(import)) = (spec.reuse, transactions) {
        let hint = "reuse = \"concurrent\" excludes units of work, because requests share an instance; use \"serial\".";
        return Err(DeployError::UnknownImport { component, import: import.clone(), hint: hint.to_owned() });
    }
    let most = MEMORY_BYTES_MAX as u64;
    if spec.limits.memory_bytes > most {
        return Err(DeployError::TooMuchMemory { component, asked: spec.limits.memory_bytes, most });
    }
    Ok(())
}

/// Code from the cache; once more from the compiler if the engine does not take what the cache has.
async fn load(
    shared: &Shared,
    spec: &ComponentSpec,
    exports: &Exports,
    (id, bytes): (VersionId, &[u8]),
) -> Result<(Component, Option<Duration>), DeployError> {
    let compile_failed = |source: CompileError| DeployError::Compile { component: spec.id.clone(), source };
    let engine = &shared.runner(exports.flavor).engine;
    let cached = shared.cache.code(engine, exports.flavor, id, bytes).await.map_err(compile_failed)?;
    match map_code(engine, &cached) {
        Ok(component) => Ok((component, cached.compiled)),
        Err(error) => {
            tracing::warn!(component = %spec.id, %error, "the code cache holds something unusable; compiling again");
            shared.cache.discard(&cached.path);
            let again = shared.cache.code(engine, exports.flavor, id, bytes).await.map_err(compile_failed)?;
            let component =
                map_code(engine, &again).map_err(|error| compile_failed(CompileError::Rejected(error.to_string())))?;
            Ok((component, again.compiled))
        }
    }
}

#[allow(unsafe_code)]
fn map_code(engine: &wasmtime::Engine, code: &CachedCode) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by our own compile worker, its checksum was verified a moment ago, it lies in a
    // folder that only the host writes to, and files there are replaced by renaming and never changed in place.
    unsafe { Component::deserialize_file(engine, &code.path) }
}

/// Turn wasmtime's words about a missing import into ours.
fn unlinked(component: &ComponentId, exports: &Exports, error: &wasmtime::Error) -> DeployError {
    let message = format!("{error:#}");
    let mentioned = exports.imports.iter().find(|import| message.contains(import.as_str()));
    match mentioned {
        Some(import) => {
            DeployError::UnknownImport { component: component.clone(), import: import.clone(), hint: hint(import) }
        }
        None => DeployError::Link { component: component.clone(), message },
    }
}

fn hint(import: &str) -> String {
    let what = match import.split(['/', '@']).next().unwrap_or_default() {
        "wasi:keyvalue" => "Hull has wasi:keyvalue@0.2.0-draft2 (store, atomics, batch)",
        "wasi:config" => "Hull has wasi:config/store@0.2.0-rc.1",
        "wasi:messaging" => "Hull has hull:messaging@0.1.0 (producer, request-reply, handler)",
        "wasi:blobstore" | "wasi:sql" | "wasi:nn" => "this part of WASI is not offered; hull:sql@0.1.0 may do",
        name if name.starts_with("fermyon:") || name.starts_with("spin:") => {
            "interfaces of Spin are not offered; use the WASI ones (wasi:keyvalue, wasi:config, wasi:http) or hull:sql"
        }
        _ => "docs/reference/interfaces.md lists what there is",
    };
    format!("{what}.")
}
