//! Components: one service each, as `[component.NAME]` or written inline in a trigger.

mod build;
mod mounts;
mod read;
mod settings;

pub use build::Build;
pub use mounts::FileMount;
pub(crate) use read::{ComponentDraft, read_component};
pub use settings::{ComponentSettings, Health, HealthPath, Reuse};

use std::collections::BTreeMap;

use crate::name::{Name, VariableName};
use crate::outbound::{OutboundGrant, OutboundHost};
use crate::source::Source;
use crate::template::Template;

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name within the app.
    pub name: Name,
    /// For people.
    pub description: String,
    /// Where its bytes are.
    pub source: Source,
    /// Environment variables of the guest.
    pub environment: BTreeMap<String, String>,
    /// What it sees through `wasi:config`, with application variables in it.
    pub variables: BTreeMap<VariableName, Template>,
    /// Files it may read.
    pub files: Vec<FileMount>,
    /// Glob patterns of files it may not read although `files` says so.
    pub exclude_files: Vec<String>,
    /// Where it may send requests.
    pub allowed_outbound_hosts: Vec<OutboundGrant>,
    /// Whether it may use its key-value store.
    pub key_value: bool,
    /// Whether it may use its database.
    pub sqlite: bool,
    /// How its bytes are made.
    pub build: Option<Build>,
    /// Everything in `tool.hull`, with every default filled in.
    pub hull: ComponentSettings,
}

impl Component {
    /// The grants whose variables are known.
    pub fn outbound_hosts(&self) -> impl Iterator<Item = &OutboundHost> {
        self.allowed_outbound_hosts.iter().filter_map(|grant| grant.host.as_ref())
    }

    /// Whether it may call that component of the same app.
    pub fn may_call(&self, name: &str) -> bool {
        self.outbound_hosts().any(|grant| grant.allows_component(name))
    }
}
