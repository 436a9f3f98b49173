//! What a component is made of and what it may use, as its manifest and its host say.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hull_bus::Bus;
use hull_config::{LiveFlags, Settings};
use hull_dispatch::Account;
use hull_http::Egress;
use hull_invocation::{ComponentId, VersionId};
use hull_logging::LogSink;
use hull_messaging::MessagingPolicy;
use hull_storage::Database;
use sha2::{Digest as _, Sha256};

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

/// The bytes of a component.
#[derive(Debug, Clone)]
pub enum ComponentBytes {
    /// Here they are.
    Read(Bytes),
    /// They are in a file. Of a version whose code is mapped already it is not read.
    Kept {
        /// Which file.
        path: PathBuf,
        /// What they have been found to be.
        version: VersionId,
    },
}

impl ComponentBytes {
    /// The digest of the bytes.
    pub(crate) fn version(&self) -> VersionId {
        match self {
            Self::Read(bytes) => version_of(bytes),
            Self::Kept { version, .. } => *version,
        }
    }

    /// The bytes. Reads the file and looks at it once more: not for the serving threads.
    pub(crate) fn read(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Read(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Kept { path, version } => {
                let bytes = std::fs::read(path)?;
                if version_of(&bytes) == *version {
                    return Ok(Cow::Owned(bytes));
                }
                Err(io::Error::other(format!("{} has changed", path.display())))
            }
        }
    }
}

fn version_of(bytes: &[u8]) -> VersionId {
    VersionId::from_digest(Sha256::digest(bytes).into())
}

/// A component as the manifest describes it, with its bytes.
#[derive(Clone)]
pub struct ComponentSpec {
    /// Its name.
    pub id: ComponentId,
    /// The component itself.
    pub bytes: ComponentBytes,
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::ComponentBytes;

    #[test]
    fn what_is_kept_is_the_same_version_until_its_file_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.wasm");
        std::fs::write(&path, "one").expect("written");
        let version = ComponentBytes::Read(Bytes::from_static(b"one")).version();
        let kept = ComponentBytes::Kept { path: path.clone(), version };
        assert_eq!(kept.version(), version);
        assert_eq!(&*kept.read().expect("read"), b"one");
        std::fs::write(&path, "two").expect("written");
        assert!(kept.read().expect_err("another").to_string().contains("a.wasm has changed"));
    }
}
