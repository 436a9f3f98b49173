//! Flags: variables that change while the app runs.

use clap::{ArgGroup, Args, Subcommand};
use hull_manifest::VariableName;

use super::HostOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum FlagsCommand {
    /// List them, with who set each rule and when
    List(ListFlagsOptions),
    /// Set the value that some see, or all
    Set(SetFlagOptions),
    /// Take rules away; without rules a variable has the manifest's value again
    Unset(UnsetFlagOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ListFlagsOptions {
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whom").args(["percent", "user", "header"])))]
pub(crate) struct SetFlagOptions {
    /// The variable, one of [variables] in spin.toml
    pub(crate) variable: VariableName,
    /// The value
    pub(crate) value: String,
    /// Only for this share of all users, as in 5%; the same users each time, and more of them when it grows
    #[arg(long, value_name = "SHARE", value_parser = parse_percent)]
    pub(crate) percent: Option<f64>,
    /// Only for this user, by what is sticky
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Only for whoever sends this header
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_header)]
    pub(crate) header: Option<HeaderIs>,
    /// What stays the same for one user: ip, header:NAME or cookie:NAME. For all rules of the variable [default: what it
    /// was; ip at first]
    #[arg(long, value_name = "WHAT")]
    pub(crate) sticky: Option<String>,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").args(["share_of", "user", "header", "everybody"])))]
pub(crate) struct UnsetFlagOptions {
    /// The variable
    pub(crate) variable: VariableName,
    /// Only the share that has this value
    #[arg(long, value_name = "VALUE")]
    pub(crate) share_of: Option<String>,
    /// Only this user's rule
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Only the rule for whoever sends this header
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_header)]
    pub(crate) header: Option<HeaderIs>,
    /// Only the rule for everybody
    #[arg(long)]
    pub(crate) everybody: bool,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

/// A header and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderIs {
    pub(crate) name: String,
    pub(crate) value: String,
}

fn parse_header(text: &str) -> Result<HeaderIs, String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=VALUE")?;
    Ok(HeaderIs { name: name.to_ascii_lowercase(), value: value.to_owned() })
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let percent: Option<f64> = text.trim().strip_suffix('%').and_then(|number| number.parse().ok());
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| "write a share such as 5% or 12.5%".to_owned())
}
