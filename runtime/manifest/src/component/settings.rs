//! `[component.NAME.tool.hull]`: what Spin does not know about a component.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::bulkhead::at_least_one;
use crate::calls::CallPolicy;
use crate::limits::{Limits, Reserve};
use crate::name::Name;
use crate::problem::Invalid;
use crate::read::{TextSetting, settings, words};
use crate::subjects::SubjectPattern;

settings! {
    /// How a component is run, where its data is, and what it may use.
    pub struct ComponentSettings {
        /// The bulkhead it is a member of; none means one of its own.
        "bulkhead" bulkhead: Option<Name> = None;
        /// Which `[storage.NAME]` of the host holds its data.
        "storage" storage: Name = Name::default_storage();
        /// The directory with its migrations, relative to the manifest.
        "migrations" migrations: Option<String> = None;
        /// The directory with its contract, relative to the manifest.
        "contracts" contracts: Option<String> = None;
        /// What is set aside for it.
        "reserve" reserve: Reserve = Reserve::default();
        /// How its health is asked for; none means that it is not.
        "health" health: Option<Health> = None;
        /// What it may publish.
        "publishes" publishes: Vec<SubjectPattern> = Vec::new();
        /// How many invocations an instance serves.
        "reuse" reuse: Reuse = Reuse::Never;
        /// After how many invocations a reused instance is discarded.
        "max-invocations" max_invocations: NonZeroU32 = at_least_one(10_000);
        /// Its bounds.
        "limits" limits: Limits = Limits::default();
        /// How it calls other components.
        "calls" calls: BTreeMap<Name, CallPolicy> = BTreeMap::new();
    }
}

words! {
    /// How many invocations an instance serves.
    pub enum Reuse, "\"never\", \"serial\" or \"concurrent\"" {
        /// One: nothing of one request can reach the next.
        Never = "never",
        /// Many, one at a time.
        Serial = "serial",
        /// Many at once.
        Concurrent = "concurrent",
    }
}

settings! {
    /// How a component's health is asked for.
    pub struct Health {
        /// The path of the request.
        "path" path: HealthPath = HealthPath::default();
        /// How often.
        "interval" interval: Duration = Duration::from_secs(10);
        /// How long an answer may take.
        "timeout" timeout: Duration = Duration::from_secs(1);
    }
}

/// A path that a request can be made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthPath(String);

impl HealthPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for HealthPath {
    fn default() -> Self {
        Self("/health".to_owned())
    }
}

impl std::fmt::Display for HealthPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for HealthPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(format!("\"{text}\" is not a path"), "write a path such as \"/health\""))
    }
}

impl TextSetting for HealthPath {
    const WANTED: &'static str = "a path such as \"/health\"";
}
