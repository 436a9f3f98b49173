//! A running host. Joins gateway, node and admin interface, says when it is ready, and stops in order: the gateway
//! first, then events, then storage and bus. The admin interface is there from the first moment to the last, so that
//! whoever watches sees a host that starts or stops, not one that is dead.

mod log;
mod preparing;
mod ready;
mod stop;
mod watching;

pub(crate) use self::watching::Watching;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hull_control::{AdminConfig, AdminServer, Deployments, Node, NodeConfig, Tokens, public_routes, unenforced};
use hull_dispatch::RunOrder;
use hull_gateway::{Gateway, GatewayConfig};
use hull_manifest::App;
use hull_storage::{Sabotage, StateDir};
use hull_telemetry::{LogWriter, Logs, Metrics};

use self::preparing::Screen;
use self::ready::{Ready, ServedApp};
use self::stop::Stop;
use crate::options::{Promise, ServeOptions};
use crate::{allocator, manifest_files};

/// What events and storage have to end, at the least, where requests have used up the drain time.
const CLOSE_TIME_MIN: Duration = Duration::from_secs(1);

/// A host that is to run, and what it is to serve.
pub(crate) struct Serving {
    options: ServeOptions,
    host: hull_manifest::Host,
    work: Work,
    began: Instant,
}

enum Work {
    /// One app from a file.
    App(Box<AppToServe>),
    /// Whatever was and will be deployed, with these values for variables.
    Daemon(BTreeMap<String, String>),
}

/// One app from a file.
pub(crate) struct AppToServe {
    pub(crate) app: App,
    /// The folder of its manifest.
    pub(crate) base: PathBuf,
    /// Its files are to be watched.
    pub(crate) watching: Option<Watching>,
}

impl Serving {
    /// One app.
    pub(crate) fn app(options: ServeOptions, host: hull_manifest::Host, app: AppToServe, began: Instant) -> Self {
        Self { options, host, work: Work::App(Box::new(app)), began }
    }

    /// `hull host`.
    pub(crate) fn daemon(options: ServeOptions) -> anyhow::Result<Self> {
        let began = hull_clock::now();
        let host = manifest_files::load_host(options.config.as_deref())?;
        let values = manifest_files::values_here()?;
        Ok(Self { options, host, work: Work::Daemon(values), began })
    }
}

/// Serve until told to stop.
pub(crate) fn run(serving: anyhow::Result<Serving>) -> anyhow::Result<()> {
    let serving = serving?;
    let screen = Screen::new();
    // Until the end of this function: what was logged last is written before the process ends.
    let log = log::init(&serving.host, screen.log_output())?;
    let app = match &serving.work {
        Work::App(work) => Some(&work.app),
        Work::Daemon(_) => None,
    };
    let unenforced = unenforced(app, &serving.host);
    if !unenforced.refused.is_empty() {
        anyhow::bail!("this version cannot do what is asked for:\n  {}", unenforced.refused.join("\n  "));
    }
    for ignored in &unenforced.ignored {
        tracing::warn!("{ignored} has no effect in this version");
    }
    let threads = serving.host.limits.threads.and_then(|threads| NonZero::<usize>::try_from(threads).ok());
    hull_threads::when_at_rest(allocator::give_back);
    let runtime = hull_threads::serving_runtime(threads).context("the runtime cannot be started")?;
    let ended = runtime.block_on(serve(serving, &log, &screen));
    // What blocks by now (a name that is being looked up) has nobody waiting for it.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// The host's parts, listening.
struct Host {
    node: Arc<Node>,
    gateway: Gateway,
    admin: AdminServer,
    state_dir: PathBuf,
}

async fn serve(serving: Serving, log: &LogWriter, screen: &Screen) -> anyhow::Result<()> {
    let Serving { options, host, work, began } = serving;
    let (drain, json) = (options.drain, options.json);
    let mut stop = Stop::listen()?;
    let Host { node, gateway, admin, state_dir } = start(&options, host.clone(), log).await?;
    let deployments = match &work {
        Work::App(_) => None,
        Work::Daemon(values) => Some(Deployments::open(&node, host, values.clone())?),
    };
    let watching = match &work {
        Work::App(work) => work.watching.clone(),
        Work::Daemon(_) => None,
    };
    let admin_address = admin.address();
    let address_file = AddressFile::write(&state_dir, &admin_address)?;
    let admin = Watched(tokio::spawn(admin.run(Arc::clone(&node), deployments.clone())));
    let brought = tokio::select! {
        brought = screen.during(node.preparing(), bring(&node, work, deployments)) => Some(brought),
        () = stop.asked() => None,
    };
    match brought {
        Some(Ok(apps)) => {
            let took = hull_clock::now().saturating_duration_since(began);
            Ready { apps: &apps, listen: gateway.local_addr(), admin: &admin_address, took }.print(json)?;
            let watched = watching.map(|watching| Watched(tokio::spawn(watching::watch(Arc::clone(&node), watching))));
            run_until_stopped(&node, gateway, &mut stop, drain).await;
            drop(watched);
        }
        ended => {
            close(&node, &mut stop, drain).await;
            ended.transpose()?;
        }
    }
    drop((admin, address_file));
    Ok(())
}

/// Bring everything to serve that is to serve from the start. An app of a daemon that cannot be brought back is told of
/// and does not keep the others from serving.
async fn bring(node: &Arc<Node>, work: Work, deployments: Option<Arc<Deployments>>) -> anyhow::Result<Vec<ServedApp>> {
    if let Work::App(work) = work {
        let AppToServe { app, base, .. } = *work;
        let (name, routes) = (app.name.to_string(), public_routes(&app));
        node.deploy(app, &base).await?;
        return Ok(vec![ServedApp { name, revision: None, routes }]);
    }
    let mut apps = Vec::new();
    for restored in deployments.context("a daemon takes deployments")?.restore().await? {
        if let Ok(revision) = restored.outcome {
            let routes = node.public_routes(&restored.app).await;
            apps.push(ServedApp { name: restored.app.to_string(), revision: Some(revision), routes });
        }
    }
    Ok(apps)
}

/// Serve until told to stop, then let what runs finish: requests, events and what they leave behind within `drain`
/// together. Told a second time, stop at once.
async fn run_until_stopped(node: &Arc<Node>, gateway: Gateway, stop: &mut Stop, drain: Duration) {
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let gateway = gateway.run(node.door(), async {
        // An error is the end of whoever tells: a stop as well.
        let _ = told.await;
    });
    let mut gateway = std::pin::pin!(gateway);
    tokio::select! {
        _ = &mut gateway => return,
        () = stop.asked() => {}
    }
    let until = hull_clock::now() + drain;
    tracing::info!(drain_ms = drain.as_millis() as u64, "told to stop: finishing what runs");
    node.announce_stop();
    drop(tell);
    tokio::select! {
        drained = &mut gateway => tracing::info!(abandoned = drained.abandoned, "the gateway has stopped"),
        () = stop.asked() => return tell_abandoned(node),
    }
    let left = until.saturating_duration_since(hull_clock::now());
    close(node, stop, left.max(CLOSE_TIME_MIN)).await;
}

async fn close(node: &Node, stop: &mut Stop, drain: Duration) {
    tokio::select! {
        () = node.shutdown(drain) => tracing::info!("stopped"),
        () = stop.asked() => tell_abandoned(node),
    }
}

fn tell_abandoned(node: &Node) {
    let abandoned = node.invocations_running();
    tracing::warn!(abandoned, "told to stop twice: stopping at once; what is not committed is rolled back");
}

/// A task that ends with its owner.
struct Watched(tokio::task::JoinHandle<()>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listen first: an address in use is found out before anything is compiled.
async fn start(options: &ServeOptions, mut host: hull_manifest::Host, log: &LogWriter) -> anyhow::Result<Host> {
    let state_dir = options.state_dir.clone().unwrap_or_else(|| PathBuf::from(&host.state_dir));
    let state_dir = StateDir::open(&state_dir)?;
    let metrics = Arc::new(Metrics::new());
    log.count_in(metrics.log_lines_dropped());
    let logs = Logs::new(Arc::clone(&metrics));
    let listen: SocketAddr = options.listen.unwrap_or(host.listen).get();
    let gateway = Gateway::bind(GatewayConfig { listen, drain: options.drain, ..GatewayConfig::default() }, &metrics)?;
    if let Some(admin) = &options.admin {
        host.admin.listen = admin.clone();
    }
    let token_file = host.admin.token_file.as_ref().map_or_else(|| state_dir.path().join("admin-token"), PathBuf::from);
    let tokens = Tokens::open(&token_file, state_dir.path())?;
    let admin = AdminServer::bind(AdminConfig { listen: host.admin.listen.clone(), tokens }).await?;
    let path = state_dir.path().to_owned();
    if let Some(promise) = options.sabotage {
        tracing::warn!(?promise, "this host breaks a promise on purpose: events will be lost or handled twice");
    }
    let node = Node::start(NodeConfig {
        host,
        state_dir,
        run_order: if options.unfair_cpu { RunOrder::Unfair } else { RunOrder::Fair },
        sabotage: options.sabotage.map(|promise| match promise {
            Promise::HandledMarks => Sabotage::HandledMarks,
            Promise::Outbox => Sabotage::Outbox,
        }),
        crash_at: options.crash_at,
        compile_program: std::env::current_exe().context("this program's own path is not known")?,
        routes: gateway.routes(),
        metrics,
        logs,
    })
    .await?;
    Ok(Host { node, gateway, admin, state_dir: path })
}

/// Tells commands on this machine where the admin interface is, for as long as it is there.
struct AddressFile(PathBuf);

impl AddressFile {
    fn write(state_dir: &Path, address: &str) -> anyhow::Result<Self> {
        let path = state_dir.join("admin-address");
        let told = if address.contains('/') {
            std::path::absolute(address).map_or_else(|_| address.to_owned(), |path| path.display().to_string())
        } else {
            address.to_owned()
        };
        std::fs::write(&path, told).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
