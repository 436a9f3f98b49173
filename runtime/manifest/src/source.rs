//! Where the bytes of a component are: in a file, at a URL with their digest, or in a registry, as Spin has it.

mod digest;
mod package;
mod registry;
mod url;

pub use self::digest::Digest;
pub use self::package::{PackageName, PackageVersion};
pub use self::registry::RegistryHost;
pub use self::url::{DownloadUrl, is_loopback};

use std::fmt;

use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting, Table};

/// Where the bytes of a component are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a file, relative to the manifest.
    File(String),
    /// At a URL.
    Url {
        /// Which.
        url: DownloadUrl,
        /// What must come from there.
        digest: Digest,
    },
    /// In a registry of packages.
    Registry {
        /// Which.
        registry: RegistryHost,
        /// Its name there.
        package: PackageName,
        /// That version and no other.
        version: PackageVersion,
    },
}

impl Source {
    /// The file, where it is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::File(path) => Some(path),
            Self::Url { .. } | Self::Registry { .. } => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Url { url, digest } => write!(f, "{url} ({digest})"),
            Self::Registry { registry, package, version } => write!(f, "{package}@{version} of {registry}"),
        }
    }
}

impl Setting for Source {
    const WANTED: &'static str = "\"the/path/of/the/component.wasm\"";

    fn read(item: &Item<'_>) -> Option<Self> {
        if let Some(path) = item.value.as_str() {
            if path.is_empty() {
                item.wrong("the path is empty", format!("write source = {}", Self::WANTED));
            }
            return Some(Self::File(path.to_owned()));
        }
        let table = item.table(Self::WANTED)?;
        let read = if item.value.as_table().is_some_and(|keys| keys.contains_key("url")) {
            read_url(&table)
        } else {
            read_registry(item, &table)
        };
        table.finish();
        read
    }

    fn show(&self) -> Shown {
        match self {
            Self::File(path) => path.show(),
            Self::Url { url, digest } => {
                Shown::Table(vec![Entry::new("url", url.show()), Entry::new("digest", digest.show())])
            }
            Self::Registry { registry, package, version } => Shown::Table(vec![
                Entry::new("registry", registry.show()),
                Entry::new("package", package.show()),
                Entry::new("version", version.show()),
            ]),
        }
    }
}

fn read_url(table: &Table<'_>) -> Option<Source> {
    let (url, digest) = (table.required("url"), table.required("digest"));
    Some(Source::Url { url: url?, digest: digest? })
}

fn read_registry(item: &Item<'_>, table: &Table<'_>) -> Option<Source> {
    let registry = table.optional("registry");
    let (package, version) = (table.required("package"), table.required("version"));
    if table.get("registry").is_none() {
        // Spin has a file with a default for each user; what is deployed would depend on who deploys it.
        item.wrong("there is no `registry`, and Hull knows no default", "add registry = \"registry.example.com\"");
    }
    Some(Source::Registry { registry: registry?, package: package?, version: version? })
}
