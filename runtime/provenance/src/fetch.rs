//! Brings a component to this machine, as a file with its signature beside it.

use std::path::PathBuf;
use std::time::Duration;

use hull_manifest::{Digest, DownloadUrl, PackageName, PackageVersion, RegistryHost, Source};
use url::Url;

use crate::body::Coming;
use crate::cache::Cache;
use crate::failed::{FetchFailed, Why};
use crate::follow::{self, shown};
use crate::reference::OciReference;
use crate::registry::{Pulled, pull, resolve};
use crate::signature::{SIGNATURE_EXTENSION, Signature};
use crate::transport::Transport;

/// How long one component may take in all.
const FETCH_TIME_MAX: Duration = Duration::from_mins(10);
/// A signature has 88 characters; what is longer is none.
const SIGNATURE_BYTES_MAX: u64 = 1024;

/// A component that is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// At a URL.
    Url {
        /// Which.
        url: DownloadUrl,
        /// What must come from there.
        digest: Digest,
    },
    /// A package of a registry.
    Package {
        /// Which registry.
        registry: RegistryHost,
        /// Its name.
        package: PackageName,
        /// Its version.
        version: PackageVersion,
    },
    /// A place in a registry.
    Oci(OciReference),
}

/// A component that is here now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file. Its signature, if it has one, is beside it.
    pub path: PathBuf,
    /// Where it came from, for people and for the audit log.
    pub source: String,
}

/// Fetches components, and keeps what it has fetched.
pub struct Fetcher {
    transport: Transport,
    cache: Cache,
    bytes_max: u64,
}

impl Remote {
    /// Where a component is, if it is not in a file.
    pub fn of(source: &Source) -> Option<Self> {
        match source.clone() {
            Source::File(_) => None,
            Source::Url { url, digest } => Some(Self::Url { url, digest }),
            Source::Registry { registry, package, version } => Some(Self::Package { registry, package, version }),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Url { url, .. } => shown(url.as_url()),
            Self::Package { registry, package, version } => format!("{package}@{version} of {registry}"),
            Self::Oci(reference) => reference.to_string(),
        }
    }
}

impl Fetcher {
    /// Keeps what it fetches in that folder, and takes no component that is larger.
    pub fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Self { transport: Transport::default(), cache: Cache::new(folder), bytes_max }
    }

    /// Bring it here. What comes and is not what was meant is not kept. Dropping the future leaves nothing of it.
    pub async fn fetch(&self, remote: &Remote) -> Result<Fetched, FetchFailed> {
        let fetching = async {
            match remote {
                Remote::Url { url, digest } => self.download(url.as_url(), digest).await,
                Remote::Package { registry, package, version } => {
                    let reference = resolve(&self.transport, registry, package, version).await?;
                    self.pull_from(&reference).await
                }
                Remote::Oci(reference) => self.pull_from(reference).await,
            }
        };
        let fetched = tokio::time::timeout(FETCH_TIME_MAX, fetching).await;
        let fetched = fetched.unwrap_or(Err(Why::TookTooLong(FETCH_TIME_MAX)));
        fetched.map_err(|why| FetchFailed { from: remote.shown(), why })
    }

    async fn download(&self, url: &Url, digest: &Digest) -> Result<Fetched, Why> {
        let path = self.cache.path(&format!("{url} {digest}"));
        let fetched = Fetched { path: path.clone(), source: shown(url) };
        if Cache::holds(&path, digest) {
            if !Signature::path_of(&path).exists()
                // It may have been signed since. Where nobody can be asked it is as it was.
                && let Ok(Some(signature)) = self.signature_at(url).await
            {
                self.cache.set_signature(&path, Some(&signature))?;
            }
            return Ok(fetched);
        }
        let what = shown(url);
        let answer = follow::get(&self.transport, url, None, None).await?.answer;
        if !answer.status().is_success() {
            return Err(Why::Status { what, status: answer.status(), hint: "" });
        }
        let coming = Coming::of(answer, &what, self.bytes_max)?;
        // One after the other: whoever serves the file may serve nobody else meanwhile.
        let received = self.cache.receive(coming, digest, &path).await?;
        let signature = self.signature_at(url).await?;
        self.cache.keep(&received, &path, signature.as_ref())?;
        Ok(fetched)
    }

    /// The signature that lies beside a URL's file: at the same URL with `.sig` behind its path.
    async fn signature_at(&self, url: &Url) -> Result<Option<Signature>, Why> {
        let mut beside = url.clone();
        beside.set_path(&format!("{}.{SIGNATURE_EXTENSION}", url.path()));
        let answer = follow::get(&self.transport, &beside, None, None).await?.answer;
        let (what, status) = (shown(&beside), answer.status());
        // Buckets say of what is not there that it is forbidden.
        if matches!(status.as_u16(), 403 | 404 | 410) {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(Why::Status { what, status, hint: "; it is the signature, which may be missing (404)" });
        }
        let text = Coming::of(answer, &what, SIGNATURE_BYTES_MAX)?.whole().await?;
        let signature = String::from_utf8_lossy(&text).parse::<Signature>();
        signature.map(Some).map_err(|error| Why::BrokeOff(format!("{what}: {error}")))
    }

    async fn pull_from(&self, reference: &OciReference) -> Result<Fetched, Why> {
        let Pulled { mut repository, component, source } = pull(&self.transport, reference, self.bytes_max).await?;
        let path = self.cache.path(&format!("{} {}", repository.shown(), component.digest));
        let signature = component.signature.as_ref();
        if Cache::holds(&path, &component.digest) {
            self.cache.set_signature(&path, signature)?;
        } else {
            let answer = repository.blob(&component.digest).await?;
            let coming = Coming::of(answer, &source, component.bytes)?;
            let received = self.cache.receive(coming, &component.digest, &path).await?;
            self.cache.keep(&received, &path, signature)?;
        }
        Ok(Fetched { path, source })
    }
}
