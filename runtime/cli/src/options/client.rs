//! The commands that look into a running host, and what they have in common: how to find it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, value_parser};
use http::Method;
use hull_manifest::{AdminAddress, Name, SubjectPattern, check_subject};

/// Which host, and which of its apps.
#[derive(Debug, Clone, Args)]
pub(crate) struct HostOptions {
    /// The state directory of the running host, which holds its address and token [default: .hull, or what hull.toml
    /// says]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state_dir: Option<PathBuf>,
    /// The admin address of the running host [default: the one that its state directory names]
    #[arg(long, value_name = "ADDRESS", env = "HULL_ADMIN", value_parser = parse_admin)]
    pub(crate) admin: Option<AdminAddress>,
    /// The file with the token to show, unless the environment has it in `HULL_TOKEN` [default: admin-token in the
    /// state directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The app [default: the only one]
    #[arg(long)]
    pub(crate) app: Option<Name>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct LogsOptions {
    /// Only what this component logs
    pub(crate) component: Option<Name>,
    /// Go on as lines come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many of the lines that are kept
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) lines: u32,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct InvokeOptions {
    /// The component
    pub(crate) component: Name,
    /// The request's method
    pub(crate) method: Method,
    /// The request's path, with its query
    #[arg(value_parser = parse_path)]
    pub(crate) path: String,
    /// The request's body: a text, @FILE, or - for standard input
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) data: Option<String>,
    /// What kind of body it is [default: what it looks like]
    #[arg(long, value_name = "TYPE", requires = "data")]
    pub(crate) content_type: Option<String>,
    /// Print the answer's status and headers as well
    #[arg(short, long)]
    pub(crate) include: bool,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct PublishOptions {
    /// The subject, such as orders.created
    #[arg(value_parser = parse_subject)]
    pub(crate) subject: String,
    /// The file with the payload [default: standard input]
    pub(crate) file: Option<PathBuf>,
    /// The event's id: the same id with the same content is the same event [default: made by the host]
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// What kind of payload it is [default: what it looks like]
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Show events as they come, and earlier ones that the bus still holds
    Tail(TailOptions),
}

#[derive(Debug, Args)]
pub(crate) struct TailOptions {
    /// The subject, or several with * and >
    pub(crate) subject: SubjectPattern,
    /// Where to begin: new, all, or the number of an event
    #[arg(long, value_name = "WHERE", default_value = "new", value_parser = parse_from)]
    pub(crate) from: String,
    /// End after so many
    #[arg(short = 'n', long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// End when everything that is there has been shown
    #[arg(long)]
    pub(crate) no_follow: bool,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List them by component, the oldest first
    List(ListOptions),
    /// Show one, with headers and payload
    Show(ShowOptions),
    /// Deliver again, to the component that could not handle them
    Replay(SelectOptions),
    /// Delete for good
    Purge(SelectOptions),
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filter {
    /// Only this component's
    #[arg(long)]
    pub(crate) component: Option<Name>,
    /// Only those of this subject
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Only those whose reason has this text in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    /// Which, as the list names it: COMPONENT/NUMBER
    #[arg(value_name = "ID")]
    pub(crate) letter: LetterId,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

#[derive(Debug, Args)]
pub(crate) struct SelectOptions {
    /// Which, as the list names them: COMPONENT/NUMBER
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with_all = ["all", "component", "subject", "reason"]
    )]
    pub(crate) letters: Vec<LetterId>,
    /// All of them, or all that the filters leave
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) host: HostOptions,
}

/// A dead letter: they are numbered per component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LetterId {
    pub(crate) component: Name,
    pub(crate) number: u64,
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.split_once('/').and_then(|(component, number)| {
            Some(Self { component: component.parse().ok()?, number: number.parse().ok()? })
        });
        read.ok_or_else(|| "write COMPONENT/NUMBER as `hull dead-letters list` shows it, as in orders/3".to_owned())
    }
}

impl std::fmt::Display for LetterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.component, self.number)
    }
}

/// As an address, or as people copy it from elsewhere: `http://127.0.0.1:3001/`.
pub(super) fn parse_admin(text: &str) -> Result<AdminAddress, String> {
    if let Some(rest) = text.strip_prefix("http://") {
        let address = rest.strip_suffix('/').unwrap_or(rest).parse();
        return address.map(AdminAddress::Tcp).map_err(|_| "write an IP address and a port: 127.0.0.1:3001".to_owned());
    }
    if text.contains("://") {
        return Err("write an address such as 127.0.0.1:3001, or a socket's path".to_owned());
    }
    text.parse().map_err(|invalid: hull_manifest::Invalid| invalid.to_string())
}

fn parse_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Ok(text.to_owned());
    }
    Err("write a path such as /api/orders?userId=7, percent-encoded".to_owned())
}

fn parse_from(text: &str) -> Result<String, String> {
    let fits = matches!(text, "new" | "all") || text.parse::<u64>().is_ok();
    fits.then(|| text.to_owned()).ok_or_else(|| "write new, all, or the number of an event".to_owned())
}

fn parse_subject(text: &str) -> Result<String, hull_manifest::Invalid> {
    check_subject(text).map(|()| text.to_owned())
}
