//! What a store holds: everything the host does for one instance, and which invocation it does it for.

use std::sync::Arc;

use hull_config::ConfigCtx;
use hull_http::OutgoingHttp;
use hull_invocation::{Invocation, Reply, Slot};
use hull_keyvalue::{KeyValueCtx, KeyValueView};
use hull_logging::{LogScope, LoggingCtx, Source};
use hull_messaging::MessagingCtx;
use hull_sql::{SqlCtx, SqlView};
use hull_storage::{EventIdentity, Session, SessionOptions};
use hull_transactions::{TransactionsCtx, TransactionsView};
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
    logging: LoggingCtx,
    services: Services,
}

/// What belongs to an invocation and not to the instance: replaced when an instance is used again.
struct Services {
    outgoing: OutgoingHttp,
    config: ConfigCtx,
    keyvalue: KeyValueCtx,
    sql: SqlCtx,
    transactions: TransactionsCtx,
    messaging: MessagingCtx,
    session: Session,
}

/// The event that an invocation handles.
pub(crate) struct Handling {
    pub(crate) identity: EventIdentity,
    pub(crate) expects_reply: bool,
}

impl Services {
    fn new(version: &Version, invocation: &Invocation, handling: Option<&Handling>) -> Self {
        let session = version.database.session(SessionOptions {
            frame: Arc::clone(invocation.lineage.frame()),
            deadline: invocation.deadline,
            event: handling.map(|handling| handling.identity.clone()),
            expects_reply: handling.is_some_and(|handling| handling.expects_reply),
        });
        let granted = |grant: bool| grant.then(|| session.clone());
        // The place that the invocation holds is the driver's to give back: an instance that waits for its next
        // invocation must not keep it.
        let caller = Arc::new(Invocation { slot: Slot::default(), ..invocation.clone() });
        let component = || invocation.target.clone();
        let grants = version.grants;
        Self {
            outgoing: OutgoingHttp::new(Arc::clone(&version.egress), Arc::clone(&caller)),
            config: crate::flags::config_of(version, invocation),
            keyvalue: KeyValueCtx::new(component(), granted(grants.keyvalue)),
            sql: SqlCtx::new(component(), granted(grants.sql)),
            transactions: TransactionsCtx::new(component(), granted(grants.keyvalue || grants.sql || grants.publish)),
            messaging: MessagingCtx::new(
                session.clone(),
                Arc::clone(&version.messaging),
                Arc::clone(&version.bus),
                caller,
                handling.is_some_and(|handling| handling.expects_reply),
            ),
            session,
        }
    }
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
        let services = Services::new(version, invocation, handling);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        let mut logging = LoggingCtx::new(Arc::clone(&version.log_sink), log_scope(invocation));
        let wasi = wasi_ctx(version, &mut logging)?;
        let memory =
            MemoryLimiter::new(&version.memory, version.limits.memory_bytes.min(version.memory.host_bytes_max()));
        Ok(Self { limits: version.limits, memory, table, wasi, http, logging, services })
    }

    /// Serve another invocation with the same instance.
    pub(crate) fn serve_next(&mut self, version: &Version, invocation: &Invocation, handling: Option<&Handling>) {
        self.logging.serve_next(log_scope(invocation));
        self.services = Services::new(version, invocation, handling);
    }

    /// The invocation is over: nothing of it stays open while the instance waits for the next one.
    pub(crate) fn rest(&mut self) {
        self.services.session.abandon();
        self.logging.flush();
    }

    /// The invocation's storage.
    pub(crate) fn session(&self) -> &Session {
        &self.services.session
    }

    /// What the handler answered to a request over the bus.
    pub(crate) fn take_reply(&mut self) -> Option<Reply> {
        self.services.messaging.take_reply()
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
    hull_logging::add_to_linker(&mut linker, |state: &mut HostState| &mut state.logging)?;
    hull_keyvalue::add_to_linker(&mut linker, |state: &mut HostState| KeyValueView {
        ctx: &mut state.services.keyvalue,
        table: &mut state.table,
    })?;
    hull_sql::add_to_linker(&mut linker, |state: &mut HostState| SqlView { ctx: &mut state.services.sql })?;
    hull_transactions::add_to_linker(&mut linker, |state: &mut HostState| TransactionsView {
        ctx: &mut state.services.transactions,
        table: &mut state.table,
    })?;
    hull_messaging::add_to_linker(&mut linker, |state: &mut HostState| &mut state.services.messaging)?;
    Ok(linker)
}
