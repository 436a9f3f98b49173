//! The command line: every command and flag, with the words that `--help` shows. Values become types here, so that a
//! wrong one is a wrong use and not a failure later.

mod client;
mod deploying;
mod flags;
mod signing;

pub(crate) use client::{
    DeadLettersCommand, EventsCommand, Filter, HostOptions, InvokeOptions, LetterId, ListOptions, LogsOptions,
    PublishOptions, SelectOptions, ShowOptions, StatusOptions, TailOptions,
};

pub(crate) use deploying::{
    AuditCommand, AuditOptions, DeployOptions, DiffOptions, HistoryOptions, RemoveOptions, RollbackOptions,
    RolloutOptions, RolloutWord, TokensCommand, VerifyContractOptions,
};

pub(crate) use flags::{FlagsCommand, SetFlagOptions, UnsetFlagOptions};

pub(crate) use signing::{KeygenOptions, SignOptions};

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hull_engine::Flavor;
use hull_manifest::{AdminAddress, ListenAddress, Name, parse_duration};

/// Runs microservices as WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "hull", version, about, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it, for as long as the process lives")]
pub(crate) enum Command {
    /// Run an app in the foreground
    Up(UpOptions),
    /// Run as a daemon: what was deployed serves again, and deployments are taken
    Host(ServeOptions),
    /// Deploy an app, or a new version of one of its components, to a daemon
    Deploy(DeployOptions),
    /// Verify a version against the examples of those who rely on it, before it is deployed or promoted
    Verify(VerifyContractOptions),
    /// Show or decide what becomes of a revision that is being tried
    Rollout(RolloutOptions),
    /// Deploy an old revision's content again
    Rollback(RollbackOptions),
    /// Take an app out of service; its data stays unless it is purged
    Remove(RemoveOptions),
    /// Show what was deployed, when, by whom and why
    History(HistoryOptions),
    /// Show what differs between two revisions
    Diff(DiffOptions),
    /// Give variables of the app other values for some of those who ask, without a deployment
    #[command(subcommand)]
    Flags(FlagsCommand),
    /// Show who changed what, and who was denied
    Audit(AuditOptions),
    /// Give tokens to others and take them back
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Make a key to sign components with
    Keygen(KeygenOptions),
    /// Sign components, for hosts that take signed ones only
    Sign(SignOptions),
    /// Run the build commands of an app's components
    Build(BuildOptions),
    /// Validate an app and show its effective configuration; nothing runs
    Check(CheckOptions),
    /// Start an app from a template
    New(NewOptions),
    /// Show the components of the running app: version, use, health
    Status(StatusOptions),
    /// Show what components log
    Logs(LogsOptions),
    /// Send a request to a component, past the routes
    Invoke(InvokeOptions),
    /// Publish an event
    Publish(PublishOptions),
    /// Watch the events of the app
    #[command(subcommand)]
    Events(EventsCommand),
    /// List, show, replay and purge events that were laid aside
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    #[command(hide = true)]
    CompileComponent(CompileOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UpOptions {
    /// The manifest, or the folder it lies in
    #[arg(short = 'f', long, value_name = "FILE", default_value = "spin.toml")]
    pub(crate) file: PathBuf,
    /// Run the build commands first
    #[arg(long)]
    pub(crate) build: bool,
    /// Build again when files change that `watch` of a build names, and swap when what runs has changed
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
}

/// What every running host is started with.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeOptions {
    /// The host's configuration [default: hull.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the gateway listens; port 0 takes a free one [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<ListenAddress>,
    /// Where the admin API listens: an address, or the path of a socket [default: 127.0.0.1:3001]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<AdminAddress>,
    /// Where everything durable lies [default: .hull]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state_dir: Option<PathBuf>,
    /// How long what runs may take to finish after SIGTERM or Ctrl-C
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub(crate) drain: Duration,
    /// Let guests keep the serving threads for as long as they run. Only for measuring what the fair queue gives
    #[arg(long, hide = true)]
    pub(crate) unfair_cpu: bool,
    /// Break a promise. Only to see that the chaos tests notice it
    #[arg(long, hide = true, value_name = "PROMISE")]
    pub(crate) sabotage: Option<Promise>,
    /// Crash so many steps into a deployment. Only to see what is there afterwards
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) crash_at: Option<u64>,
    /// Print JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// What tests may have broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Promise {
    /// An event that was handled is known to be
    HandledMarks,
    /// An event stays in the outbox until the bus holds it
    Outbox,
}

#[derive(Debug, Args)]
pub(crate) struct BuildOptions {
    /// Build only these components
    #[arg(value_name = "COMPONENT")]
    pub(crate) components: Vec<Name>,
    /// The manifest, or the folder it lies in
    #[arg(short = 'f', long, value_name = "FILE", default_value = "spin.toml")]
    pub(crate) file: PathBuf,
    /// Pass on what the commands print, as they print it
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// The manifest, or the folder it lies in
    #[arg(short = 'f', long, value_name = "FILE", default_value = "spin.toml")]
    pub(crate) file: PathBuf,
    /// The host's configuration [default: hull.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NewOptions {
    /// What to start from
    pub(crate) template: Template,
    /// The name of the app, of its component and of the folder that is made
    pub(crate) name: Name,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Answers HTTP requests
    Http,
    /// Handles events and publishes some
    Messaging,
    /// HTTP, events, a database, key-value and a unit of work
    Full,
}

/// What the engine tells its compile worker.
#[derive(Debug, Args)]
pub(crate) struct CompileOptions {
    #[arg(value_parser = parse_flavor)]
    pub(crate) flavor: Flavor,
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) time_secs: u64,
    pub(crate) memory_bytes: u64,
}

fn parse_flavor(text: &str) -> Result<Flavor, String> {
    Flavor::parse(text).ok_or_else(|| "write `sequential` or `concurrent`".to_owned())
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
