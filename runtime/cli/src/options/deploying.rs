//! The commands that change what a daemon serves, and those that tell what was changed.

use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};
use hull_manifest::Name;

use super::HostOptions;

#[derive(Debug, Args)]
pub(crate) struct DeployOptions {
    /// Replace only this component, by the file that follows
    #[arg(value_name = "COMPONENT", requires = "wasm")]
    pub(crate) component: Option<Name>,
    /// The component's new version
    #[arg(value_name = "FILE.wasm")]
    pub(crate) wasm: Option<PathBuf>,
    /// The manifest, or the folder it lies in
    #[arg(short = 'f', long, value_name = "FILE", default_value = "spin.toml", conflicts_with = "component")]
    pub(crate) file: PathBuf,
    /// Run the build commands first
    #[arg(long, conflicts_with = "component")]
    pub(crate) build: bool,
    /// Why; kept with the revision
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    pub(crate) message: String,
    /// Deploy only if this revision is the last one; 0 if there must be none yet
    #[arg(long, value_name = "N")]
    pub(crate) if_revision: Option<u64>,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackOptions {
    /// The revision to go back to [default: the one before]
    #[arg(value_parser = value_parser!(u64).range(1..))]
    pub(crate) revision: Option<u64>,
    /// Why; kept with the revision
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    pub(crate) message: String,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryOptions {
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct DiffOptions {
    /// The older revision [default: the one before the newer]
    #[arg(value_parser = value_parser!(u64).range(1..))]
    pub(crate) from: Option<u64>,
    /// The newer revision [default: the last one]
    #[arg(value_parser = value_parser!(u64).range(1..))]
    pub(crate) to: Option<u64>,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditOptions {
    /// How many entries
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) host: HostOptions,
    #[command(subcommand)]
    pub(crate) command: Option<AuditCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Look for edits and gaps, from the first entry to the last
    Verify(VerifyOptions),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// The folder with the log, for a host that does not run [default: ask the running host]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}
