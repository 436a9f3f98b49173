//! `hull up`: the running host. Joins gateway, node and admin interface, says when it is ready, and stops in order:
//! the gateway first, then events, then storage and bus. The admin interface is there from the first moment to the
//! last, so that whoever watches sees a host that starts or stops, not one that is dead.

mod log;
mod preparing;
mod ready;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hull_control::{AdminConfig, AdminServer, Node, NodeConfig, Token, unenforced};
use hull_dispatch::RunOrder;
use hull_gateway::{Gateway, GatewayConfig};
use hull_storage::{Sabotage, StateDir};
use hull_telemetry::{LogWriter, Logs, Metrics};
use tokio::signal::unix::{SignalKind, signal};

use self::preparing::Screen;
use crate::manifest_files::{self, Loaded};
use crate::options::{Promise, UpOptions};

/// What events and storage have to end, at the least, where requests have used up the drain time.
const CLOSE_TIME_MIN: Duration = Duration::from_secs(1);

/// Run the app until it is told to stop.
#[allow(clippy::needless_pass_by_value, reason = "the host keeps its options")]
pub(crate) fn run(options: UpOptions) -> anyhow::Result<()> {
    if options.build {
        crate::build::build_all(&options.file)?;
    }
    let began = hull_clock::now();
    let loaded = manifest_files::load(&options.file, options.config.as_deref())?;
    let screen = Screen::new();
    // Until the end of this function: what was logged last is written before the process ends.
    let log = log::init(&loaded.host, screen.log_output())?;
    let unenforced = unenforced(&loaded.app, &loaded.host);
    if !unenforced.refused.is_empty() {
        anyhow::bail!("this version cannot do what is asked for:\n  {}", unenforced.refused.join("\n  "));
    }
    for ignored in &unenforced.ignored {
        tracing::warn!("{ignored} has no effect in this version");
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = loaded.host.limits.threads {
        runtime.worker_threads(threads.get() as usize);
    }
    let runtime = runtime.enable_all().thread_name("hull").build().context("the runtime cannot be started")?;
    let ended = runtime.block_on(serve(options, loaded, began, &log, &screen));
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

async fn serve(
    options: UpOptions,
    loaded: Loaded,
    began: Instant,
    log: &LogWriter,
    screen: &Screen,
) -> anyhow::Result<()> {
    let Loaded { app, host, base } = loaded;
    let routes = hull_control::public_routes(&app);
    let (name, drain, json) = (app.name.to_string(), options.drain, options.json);
    let mut stop = Stop::listen()?;
    let Host { node, gateway, admin, state_dir } = start(&options, host, log).await?;
    let admin_address = admin.address();
    let address_file = AddressFile::write(&state_dir, &admin_address)?;
    let admin = Watched(tokio::spawn(admin.run(Arc::clone(&node))));
    let deployed = tokio::select! {
        deployed = screen.during(node.preparing(), node.deploy(app, &base)) => Some(deployed),
        () = stop.asked() => None,
    };
    match deployed {
        Some(Ok(_)) => {
            let ready = ready::Ready {
                app: &name,
                listen: gateway.local_addr(),
                admin: &admin_address,
                routes: &routes,
                took: hull_clock::now().saturating_duration_since(began),
            };
            ready.print(json)?;
            run_until_stopped(&node, gateway, &mut stop, drain).await;
        }
        ended => {
            close(&node, &mut stop, drain).await;
            ended.transpose()?;
        }
    }
    drop((admin, address_file));
    Ok(())
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
async fn start(options: &UpOptions, mut host: hull_manifest::Host, log: &LogWriter) -> anyhow::Result<Host> {
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
    let token = Token::in_file(&token_file)?;
    let admin = AdminServer::bind(AdminConfig { listen: host.admin.listen.clone(), token }).await?;
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
    fn write(state_dir: &std::path::Path, address: &str) -> anyhow::Result<Self> {
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

/// SIGTERM, as supervisors send it, and SIGINT, as a terminal does.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be listened for");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
