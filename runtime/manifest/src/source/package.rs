//! Packages of registries, as the tools around `wasm-pkg` name them.

use std::fmt;
use std::str::FromStr;

use crate::name::Name;
use crate::problem::Invalid;
use crate::read::TextSetting;

/// The tag of a registry has 128 characters at the most.
const VERSION_BYTES_MAX: usize = 128;

/// `namespace:name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageName {
    namespace: Name,
    name: Name,
}

impl PackageName {
    /// Whose package it is.
    pub fn namespace(&self) -> &str {
        self.namespace.as_str()
    }

    /// Which of theirs.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl FromStr for PackageName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts =
            text.split_once(':').and_then(|(namespace, name)| Some((namespace.parse().ok()?, name.parse().ok()?)));
        let (namespace, name) = parts.ok_or_else(|| {
            let remedy = "write the namespace and the name of the package, as in \"acme:orders\"";
            Invalid::new(format!("\"{text}\" is no package"), remedy)
        })?;
        Ok(Self { namespace, name })
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)
    }
}

impl TextSetting for PackageName {
    const WANTED: &'static str = "a package such as \"acme:orders\"";
}

/// A whole version, as semantic versioning has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageVersion(semver::Version);

impl PackageVersion {
    /// The tag in a registry, where a plus cannot be.
    pub fn tag(&self) -> String {
        self.0.to_string().replace('+', "_")
    }
}

impl FromStr for PackageVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let version = semver::Version::parse(text).ok().filter(|_| text.len() <= VERSION_BYTES_MAX);
        version.map(Self).ok_or_else(|| {
            Invalid::new(
                format!("\"{text}\" is no version"),
                "write a whole version, as in \"1.2.0\"; there are no ranges",
            )
        })
    }
}

impl fmt::Display for PackageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TextSetting for PackageVersion {
    const WANTED: &'static str = "a version such as \"1.2.0\"";
}
