//! What a component is made of and what it may use, as its manifest and its host say.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hull_bus::Bus;
use hull_config::{LiveFlags, Settings};
use hull_dispatch::Account;
use hull_http::Egress;
use hull_invocation::ComponentId;
use hull_logging::LogSink;
use hull_messaging::MessagingPolicy;
use hull_storage::Database;

use crate::limits::InstanceLimits;

/// How many invocations one instance serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// One: nothing of a request can reach the next.
    Never,
    /// Many, one after the other.
    Serial {
        /// After so many a fresh one takes its place.
        invocations_max: u32,
    },
    /// Many at once.
    Concurrent {
        /// After so many a fresh one takes its place.
        invocations_max: u32,
    },
}

/// A folder of the host that a component may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is.
    pub host: PathBuf,
    /// Where the guest sees it.
    pub guest: String,
}

/// What spin.toml grants to a component, beyond what every guest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grants {
    /// `key_value_stores = ["default"]`.
    pub keyvalue: bool,
    /// `sqlite_databases = ["default"]`.
    pub sql: bool,
    /// `publishes` names something.
    pub publish: bool,
}

/// A component as the manifest describes it, with its bytes.
#[derive(Clone)]
pub struct ComponentSpec {
    /// Its name.
    pub id: ComponentId,
    /// The component itself.
    pub bytes: Bytes,
    /// How instances are used.
    pub reuse: Reuse,
    /// What an instance may use.
    pub limits: InstanceLimits,
    /// `reserve.memory`, in bytes.
    pub memory_reserved_bytes: u64,
    /// What it uses of the CPU is charged here, and where its guests wait for their turn.
    pub account: Arc<Account>,
    /// `environment`.
    pub environment: Vec<(String, String)>,
    /// `variables`.
    pub settings: Arc<Settings>,
    /// The flags of its app.
    pub flags: Arc<LiveFlags>,
    /// `files`.
    pub mounts: Vec<Mount>,
    /// `allowed_outbound_hosts`, and the client that keeps to them.
    pub egress: Arc<Egress>,
    /// What it says goes here.
    pub log_sink: Arc<dyn LogSink>,
    /// Which interfaces to its storage it may use.
    pub grants: Grants,
    /// Its storage.
    pub database: Database,
    /// What it may publish.
    pub messaging: Arc<MessagingPolicy>,
    /// Where its requests go.
    pub bus: Arc<dyn Bus>,
    /// An HTTP trigger or a call may reach it.
    pub serves_http: bool,
    /// A messaging trigger names it.
    pub serves_events: bool,
}
