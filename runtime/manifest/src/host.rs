//! The host: what `hull.toml` says, which an operator decides and not an app's author.

mod address;
mod bus;
mod read;
mod sections;
mod signatures;
mod storage;

pub use address::{AdminAddress, ListenAddress};
pub use bus::{Bus, BusBackend, Identity};
pub use sections::{Admin, HostLimits, Jwks, Jwt, LogFormat, Secrets, Telemetry, Tls};
pub use signatures::{PublicKey, Signatures};
pub use storage::Storage;

use std::collections::BTreeMap;

use crate::name::Name;
use crate::problem::Problems;

/// What one `hull.toml` says, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Where everything is kept.
    pub state_dir: String,
    /// Where the gateway listens.
    pub listen: ListenAddress,
    /// TLS of the gateway; none means plain HTTP.
    pub tls: Option<Tls>,
    /// The admin address.
    pub admin: Admin,
    /// Where data is held; `default` is always there.
    pub storage: BTreeMap<Name, Storage>,
    /// Where events are held.
    pub bus: Bus,
    /// Whose tokens are accepted.
    pub jwt: Option<Jwt>,
    /// Whose components are taken; none takes everybody's.
    pub signatures: Option<Signatures>,
    /// Where secrets come from.
    pub secrets: Secrets,
    /// Traces and logs.
    pub telemetry: Telemetry,
    /// Bounds of the whole process.
    pub limits: HostLimits,
}

impl Host {
    /// Parse a `hull.toml`. Everything that is wrong with it is told at once.
    pub fn parse(text: &str, file: &str) -> Result<Self, Problems> {
        read::read_host(text, file)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            state_dir: ".hull".to_owned(),
            listen: ListenAddress::default(),
            tls: None,
            admin: Admin::default(),
            storage: BTreeMap::from([(Name::default_storage(), Storage::Sqlite)]),
            bus: Bus::default(),
            jwt: None,
            signatures: None,
            secrets: Secrets::Env,
            telemetry: Telemetry::default(),
            limits: HostLimits::default(),
        }
    }
}
