//! The commands that change what a daemon serves, and those that tell what was changed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, value_parser};
use hull_control::Role;
use hull_manifest::{Digest, Name, parse_duration};
use hull_provenance::Reference;

use super::HostOptions;

#[derive(Debug, Args)]
pub(crate) struct DeployOptions {
    /// Replace only this component, by the file that follows
    #[arg(value_name = "COMPONENT", requires = "wasm")]
    pub(crate) component: Option<Name>,
    /// The component's new version: a file, an https URL, or `oci://HOST/REPOSITORY:TAG`
    #[arg(value_name = "FILE.wasm")]
    pub(crate) wasm: Option<Reference>,
    /// What must come from the URL, as in sha256:…
    #[arg(long, value_name = "DIGEST", requires = "wasm")]
    pub(crate) digest: Option<Digest>,
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
    /// Deploy although it breaks who relies on what it changes, by their contracts; the audit log tells so
    #[arg(long)]
    pub(crate) force: bool,
    /// Send this share of the requests to it first, and more step by step if it is no worse, as in 5%,25%,50%
    #[arg(long, value_name = "SHARES", value_parser = parse_shares, conflicts_with = "blue_green")]
    pub(crate) canary: Option<Shares>,
    /// How long a step of the canary takes at the least
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = parse_duration)]
    pub(crate) interval: Duration,
    /// What stays the same for one user, who sees one revision only: ip, header:NAME or cookie:NAME
    #[arg(long, value_name = "WHAT", default_value = "ip")]
    pub(crate) sticky: String,
    /// Only whoever sends the header `x-hull-preview: canary` reaches it, until `hull rollout promote`
    #[arg(long)]
    pub(crate) blue_green: bool,
    /// Give it copies of the GET requests, compare its answers and send them to nobody, until `hull rollout promote`
    #[arg(long, conflicts_with_all = ["canary", "blue_green"])]
    pub(crate) shadow: bool,
    /// A field that may differ in a shadow's answers: status, `header NAME`, body, or as in /items/*/time
    #[arg(long, value_name = "FIELD", requires = "shadow")]
    pub(crate) ignore: Vec<String>,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

/// Growing shares, in hundredths of a percent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shares(pub(crate) Vec<u32>);

fn parse_shares(text: &str) -> Result<Shares, String> {
    let one = |share: &str| {
        let percent: f64 = share.trim().strip_suffix('%')?.parse().ok()?;
        (percent > 0.0 && percent < 100.0).then_some((percent * 100.0).round() as u32)
    };
    let shares: Option<Vec<u32>> = text.split(',').map(one).collect();
    shares.map(Shares).ok_or_else(|| "write shares such as 5%,25%,50%".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct VerifyContractOptions {
    /// Only what this component's consumers rely on
    pub(crate) component: Option<Name>,
    /// The manifest with the contracts, or the folder it lies in
    #[arg(short = 'f', long, value_name = "FILE", default_value = "spin.toml")]
    pub(crate) file: PathBuf,
    /// Run the build commands first
    #[arg(long, conflicts_with = "preview")]
    pub(crate) build: bool,
    /// Ask the revision that is being tried on the running host, with GET and HEAD alone: its data is real. Otherwise the
    /// app is run from its file for as long as it takes, with data of its own
    #[arg(long)]
    pub(crate) preview: bool,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct RolloutOptions {
    /// What to do with it
    #[arg(value_enum)]
    pub(crate) word: RolloutWord,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

/// What can be done with a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RolloutWord {
    /// Show what it is at
    Status,
    /// Let the new revision serve everybody
    Promote,
    /// Give the new revision up
    Abort,
    /// Decide nothing until it is resumed
    Pause,
    /// Begin the step anew
    Resume,
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
pub(crate) struct RemoveOptions {
    /// The app
    #[arg(value_name = "APP")]
    pub(crate) name: Name,
    /// Delete its data as well: databases, events, revisions
    #[arg(long)]
    pub(crate) purge: bool,
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

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// List them, with what each may do
    List(TokensOptions),
    /// Make one; its text is printed now and never again
    Add(AddTokenOptions),
    /// Take one back
    Remove(NamedTokenOptions),
}

#[derive(Debug, Args)]
pub(crate) struct TokensOptions {
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct AddTokenOptions {
    /// Who it is for; the audit log names them so
    pub(crate) name: Name,
    /// What they may do: read, deploy or admin
    #[arg(long, default_value = "read")]
    pub(crate) role: Role,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct NamedTokenOptions {
    /// Which
    pub(crate) name: Name,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}
