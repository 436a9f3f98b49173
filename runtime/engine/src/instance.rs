//! Instances: made fresh for an invocation, or taken from those that serve one after the other.

use std::sync::Arc;

use hull_invocation::{Failure, Invocation, Resource};
use wasmtime::component::Instance;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi_http::p2::bindings::Proxy;

use crate::deploy::Version;
use crate::limits::{CpuExhausted, MemoryShort, RefusedBy, bound};
use crate::pool::HandingBack;
use crate::registry::Shared;
use crate::services::Handling;
use crate::spec::Reuse;
use crate::state::HostState;

/// An instance that waits for its next invocation.
pub(crate) struct Idle {
    store: Store<HostState>,
    instance: Instance,
    proxy: Option<Proxy>,
    served: u32,
    /// Dropped after the store.
    handing_back: HandingBack,
}

/// An instance at work. Dropping it discards it.
pub(crate) struct Sandbox {
    pub(crate) store: Store<HostState>,
    pub(crate) instance: Instance,
    /// What a handler of WASI 0.2 was found to export, once it has been asked.
    pub(crate) proxy: Option<Proxy>,
    version: Arc<Version>,
    served: u32,
    /// Dropped after the store.
    handing_back: HandingBack,
}

impl Sandbox {
    /// An instance for this invocation.
    pub(crate) async fn open(
        shared: &Shared,
        version: &Arc<Version>,
        invocation: &Invocation,
        handling: Option<&Handling>,
    ) -> Result<Self, Failure> {
        if matches!(version.reuse, Reuse::Serial { .. })
            && let Some(idle) = version.idle.lock().pop()
        {
            let Idle { mut store, instance, proxy, served, handing_back } = idle;
            store.data_mut().serve_next(version, invocation, handling);
            // Its last slice is long over: without this the guest would be interrupted as soon as it begins.
            store.set_epoch_deadline(1);
            return Ok(Self { store, instance, proxy, version: Arc::clone(version), served, handing_back });
        }
        match Self::fresh(version, invocation, handling).await {
            // Instances that wait for their next invocation may hold what this one needs.
            Err(Failure::Shed { .. }) if shared.reclaim() > 0 => Self::fresh(version, invocation, handling).await,
            opened => opened,
        }
    }

    async fn fresh(
        version: &Arc<Version>,
        invocation: &Invocation,
        handling: Option<&Handling>,
    ) -> Result<Self, Failure> {
        let failed = |error: &wasmtime::Error| instantiation_failure(version, error);
        let state = HostState::new(version, invocation, handling).map_err(|error| failed(&error))?;
        let handing_back = HandingBack::new(&version.sweeper);
        let mut store = Store::try_new(version.pre.engine(), state).map_err(|error| failed(&error))?;
        bound(&mut store);
        match version.pre.instantiate_async(&mut store).await {
            Ok(instance) => {
                Ok(Self { store, instance, proxy: None, version: Arc::clone(version), served: 0, handing_back })
            }
            Err(error) if error.is::<PoolConcurrencyLimitError>() => Err(failed(&error)),
            Err(error) => Err(guest_failure(&store, version, &error)),
        }
    }

    /// The guest came to its end: keep the instance, if it is one to be kept.
    pub(crate) fn close(mut self) {
        self.served += 1;
        self.close_unused();
    }

    /// The same of an instance that has served nobody yet.
    pub(crate) fn close_unused(mut self) {
        let keep = match self.version.reuse {
            Reuse::Never | Reuse::Concurrent { .. } => false,
            Reuse::Serial { invocations_max } => {
                self.served < invocations_max && self.store.data().memory.refused().is_none()
            }
        };
        if keep {
            self.store.data_mut().rest();
            let idle = Idle {
                store: self.store,
                instance: self.instance,
                proxy: self.proxy,
                served: self.served,
                handing_back: self.handing_back,
            };
            self.version.keep_idle(idle);
        }
    }

    /// Say why the guest failed.
    pub(crate) fn failure(&self, error: &wasmtime::Error) -> Failure {
        guest_failure(&self.store, &self.version, error)
    }
}

fn instantiation_failure(version: &Version, error: &wasmtime::Error) -> Failure {
    if error.is::<PoolConcurrencyLimitError>() {
        return host_is_short(version);
    }
    Failure::Internal(format!("{}: {error:#}", version.component))
}

fn host_is_short(version: &Version) -> Failure {
    let retry_after = std::time::Duration::from_secs(1);
    Failure::Shed { component: version.component.clone(), resource: Resource::Host, retry_after }
}

/// The one place that reads wasmtime's errors.
fn guest_failure(store: &Store<HostState>, version: &Version, error: &wasmtime::Error) -> Failure {
    let component = version.component.clone();
    if let Some(CpuExhausted { limit }) = error.downcast_ref::<CpuExhausted>() {
        return Failure::CpuExceeded { component, limit: *limit };
    }
    match store.data().memory.refused() {
        Some(RefusedBy::Limit) => {
            return Failure::MemoryExceeded { component, limit_bytes: version.limits.memory_bytes };
        }
        Some(RefusedBy::Host) => return host_is_short(version),
        None if error.is::<MemoryShort>() => return host_is_short(version),
        None => {}
    }
    let message = match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "it panicked or aborted".to_owned(),
        Some(Trap::StackOverflow) => "its stack overflowed (512 KiB)".to_owned(),
        Some(trap) => trap.to_string(),
        None => format!("{:#}", error),
    };
    tracing::debug!(component = %version.component, error = format!("{error:?}"), "a guest failed");
    Failure::Trapped { component, message }
}
