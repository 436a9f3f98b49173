//! What a store holds: everything the host does for one instance, and which invocation it does it for.

use std::sync::Arc;

use hull_invocation::{Invocation, Reply};
use hull_keyvalue::KeyValueView;
use hull_logging::{LogScope, LoggingCtx, Source};
use hull_sql::SqlView;
use hull_storage::Session;
use hull_transactions::TransactionsView;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::config::Flavor;
use crate::deploy::Version;
use crate::limits::{InstanceLimits, MemoryLimiter, RESOURCES_MAX};
use crate::services::{Handling, Serving};

/// All headers of one message that a guest makes, in bytes.
const FIELDS_BYTES_MAX: usize = 64 << 10;

pub(crate) struct HostState {
    pub(crate) limits: InstanceLimits,
    pub(crate) memory: MemoryLimiter,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    logging: LoggingCtx,
    serving: Serving,
}

fn log_scope(invocation: &Invocation) -> LogScope {
    LogScope {
        component: invocation.target.clone(),
        request_id: invocation.request_id.clone(),
        correlation_id: invocation.correlation_id.clone(),
        trace: invocation.trace,
    }
}

impl HostState {
    pub(crate) fn new(
        version: &Version,
        invocation: &Invocation,
        handling: Option<&Handling>,
    ) -> wasmtime::Result<Self> {
        let serving = Serving::new(&version.provisions, invocation, handling);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        let mut logging = LoggingCtx::new(Arc::clone(&version.log_sink), log_scope(invocation));
        let wasi = wasi_ctx(version, &mut logging)?;
        let memory =
            MemoryLimiter::new(&version.memory, version.limits.memory_bytes.min(version.memory.host_bytes_max()));
        Ok(Self { limits: version.limits, memory, table, wasi, http, logging, serving })
    }

    /// Serve another invocation with the same instance.
    pub(crate) fn serve_next(&mut self, version: &Version, invocation: &Invocation, handling: Option<&Handling>) {
        self.logging.serve_next(log_scope(invocation));
        self.serving = Serving::new(&version.provisions, invocation, handling);
    }

    /// The invocation is over: nothing of it stays open while the instance waits for the next one.
    pub(crate) fn rest(&mut self) {
        if let Some(services) = self.serving.made() {
            services.session.abandon();
        }
        self.logging.flush();
    }

    /// The invocation's storage.
    pub(crate) fn session(&mut self) -> &Session {
        &self.serving.services().session
    }

    /// What the handler answered to a request over the bus.
    pub(crate) fn take_reply(&mut self) -> Option<Reply> {
        self.serving.made()?.messaging.take_reply()
    }
}

fn wasi_ctx(version: &Version, logging: &mut LoggingCtx) -> wasmtime::Result<WasiCtx> {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(logging.lines(Source::Stdout))
        .stderr(logging.lines(Source::Stderr))
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
        WasiHttpCtxView { hooks: &mut self.serving.outgoing, table: &mut self.table, ctx: &mut self.http }
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
    hull_config::add_to_linker(&mut linker, |state: &mut HostState| &mut state.serving.services().config)?;
    hull_logging::add_to_linker(&mut linker, |state: &mut HostState| &mut state.logging)?;
    hull_keyvalue::add_to_linker(&mut linker, |state: &mut HostState| KeyValueView {
        ctx: &mut state.serving.services().keyvalue,
        table: &mut state.table,
    })?;
    hull_sql::add_to_linker(&mut linker, |state: &mut HostState| SqlView { ctx: &mut state.serving.services().sql })?;
    hull_transactions::add_to_linker(&mut linker, |state: &mut HostState| TransactionsView {
        ctx: &mut state.serving.services().transactions,
        table: &mut state.table,
    })?;
    hull_messaging::add_to_linker(&mut linker, |state: &mut HostState| &mut state.serving.services().messaging)?;
    Ok(linker)
}
