//! What a store holds: everything the host does for one instance, and which invocation it does it for.

use std::sync::Arc;

use hull_config::ConfigCtx;
use hull_http::OutgoingHttp;
use hull_invocation::Invocation;
use hull_logging::{Level, LogScope, LoggingCtx};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::config::Flavor;
use crate::deploy::Version;
use crate::limits::{InstanceLimits, MemoryLimiter, RESOURCES_MAX};

/// All headers of one message that a guest makes, in bytes.
const FIELDS_BYTES_MAX: usize = 64 << 10;

pub(crate) struct HostState {
    pub(crate) limits: InstanceLimits,
    pub(crate) memory: MemoryLimiter,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    services: Services,
}

/// What belongs to an invocation and not to the instance: replaced when an instance is used again.
struct Services {
    outgoing: OutgoingHttp,
    logging: LoggingCtx,
    config: ConfigCtx,
}

impl Services {
    fn new(version: &Version, invocation: &Invocation) -> Self {
        let scope = LogScope {
            component: invocation.target.clone(),
            request_id: invocation.request_id.clone(),
            correlation_id: invocation.correlation_id.clone(),
            trace: invocation.trace,
        };
        Self {
            outgoing: OutgoingHttp::new(Arc::clone(&version.egress), Arc::new(invocation.clone())),
            logging: LoggingCtx::new(Arc::clone(&version.log_sink), Arc::new(scope)),
            config: version.config.clone(),
        }
    }
}

impl HostState {
    pub(crate) fn new(version: &Version, invocation: &Invocation) -> wasmtime::Result<Self> {
        let services = Services::new(version, invocation);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        let wasi = wasi_ctx(version, &services.logging)?;
        let memory = MemoryLimiter::new(version.limits.memory_bytes);
        Ok(Self { limits: version.limits, memory, table, wasi, http, services })
    }

    /// Serve another invocation with the same instance.
    pub(crate) fn serve_next(&mut self, version: &Version, invocation: &Invocation) {
        self.services = Services::new(version, invocation);
    }
}

fn wasi_ctx(version: &Version, logging: &LoggingCtx) -> wasmtime::Result<WasiCtx> {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(logging.lines(Level::Info))
        .stderr(logging.lines(Level::Error))
        .envs(&version.environment)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(1 << 20);
    for mount in &version.mounts {
        builder.preopened_dir(&mount.host, &mount.guest, FsPerms::ReadOnly)?;
    }
    Ok(builder.build())
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.services.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Everything a guest may import. What a component was not granted is linked all the same, and answers with an
/// error that says which line would grant it.
pub(crate) fn linker(engine: &wasmtime::Engine, flavor: Flavor) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if flavor == Flavor::Concurrent {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    hull_config::add_to_linker(&mut linker, |state: &mut HostState| &mut state.services.config)?;
    hull_logging::add_to_linker(&mut linker, |state: &mut HostState| &mut state.services.logging)?;
    Ok(linker)
}
