//! What a component is named by on the command line: a file, a URL, or its place in a registry.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use hull_manifest::{Digest, DownloadUrl, RegistryHost};

const OCI: &str = "oci://";
/// What registries take at the most: of a repository's name and of a tag, in characters.
const REPOSITORY_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// Where a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A file.
    File(PathBuf),
    /// At a URL.
    Url(DownloadUrl),
    /// In a registry.
    Oci(OciReference),
}

/// `oci://HOST/REPOSITORY:TAG`, `oci://HOST/REPOSITORY@sha256:…`, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciReference {
    pub(crate) registry: RegistryHost,
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
    /// Of the manifest.
    pub(crate) digest: Option<Digest>,
}

/// What names no component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoReference(String);

impl FromStr for Reference {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        if text.starts_with(OCI) {
            return text.parse().map(Self::Oci);
        }
        if text.contains("://") {
            let url = text.parse::<DownloadUrl>();
            return url
                .map(Self::Url)
                .map_err(|invalid| NoReference(format!("{}: {}", invalid.message, invalid.remedy)));
        }
        if text.is_empty() { Err(NoReference("the path is empty".to_owned())) } else { Ok(Self::File(text.into())) }
    }
}

impl FromStr for OciReference {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        let wrong = |what: &str| {
            NoReference(format!("{what}: write {OCI}HOST/REPOSITORY:TAG, {OCI}HOST/REPOSITORY@sha256:…, or both"))
        };
        let rest = text.strip_prefix(OCI).unwrap_or(text);
        let (registry, rest) = rest.split_once('/').ok_or_else(|| wrong("there is no repository"))?;
        let registry = registry.parse().map_err(|_| wrong("there is no host"))?;
        let (rest, digest) = match rest.split_once('@') {
            None => (rest, None),
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| wrong("that is no digest"))?)),
        };
        let (repository, tag) = match rest.split_once(':') {
            None => (rest, None),
            Some((repository, tag)) if is_tag(tag) => (repository, Some(tag.to_owned())),
            Some(_) => return Err(wrong("that is no tag")),
        };
        if tag.is_none() && digest.is_none() {
            return Err(wrong("there is neither a tag nor a digest"));
        }
        if !is_repository(repository) {
            return Err(wrong("that is no repository"));
        }
        Ok(Self { registry, repository: repository.to_owned(), tag, digest })
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, repository, tag, digest } = self;
        write!(f, "{OCI}{registry}/{repository}")?;
        tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

/// As the distribution specification has it: words of small letters and digits, joined by dots, dashes, one or two
/// underscores, and slashes.
pub(crate) fn is_repository(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        let ends = [part.bytes().next(), part.bytes().next_back()];
        let joined = part.split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit());
        ends.into_iter().all(|end| end.is_some_and(is_word))
            && joined
                .into_iter()
                .all(|join| matches!(join, "" | "." | "_" | "__") || join.bytes().all(|byte| byte == b'-'))
    };
    text.len() <= REPOSITORY_BYTES_MAX && text.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_');
    begins && text.len() <= TAG_BYTES_MAX && text.bytes().all(is_in)
}

#[cfg(test)]
mod tests {
    use super::{OciReference, Reference, is_repository};

    #[test]
    fn files_urls_and_registries_are_told_apart() {
        let reference = |text: &str| text.parse::<Reference>();
        assert!(matches!(reference("target/orders.wasm"), Ok(Reference::File(_))));
        assert!(matches!(reference("https://example.com/orders.wasm"), Ok(Reference::Url(_))));
        assert!(matches!(reference("oci://ghcr.io/acme/orders:1.0"), Ok(Reference::Oci(_))));
        for wrong in ["", "http://example.com/orders.wasm", "ftp://example.com/x", "oci://ghcr.io", "s3://bucket/x"] {
            assert!(reference(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn places_in_registries_are_parsed_whole() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for text in [
            "oci://ghcr.io/acme/orders:1.0",
            "oci://localhost:5000/orders:latest",
            &format!("oci://ghcr.io/a/b/c@{digest}"),
            &format!("oci://ghcr.io/acme/orders:1.0@{digest}"),
        ] {
            assert_eq!(text.parse::<OciReference>().map(|reference| reference.to_string()).as_deref(), Ok(text));
        }
        for wrong in [
            "oci://ghcr.io/acme/orders",
            "oci://ghcr.io/acme/orders:",
            "oci://ghcr.io/acme/orders@sha256:00",
            "oci://ghcr.io/acme/orders:a/b",
            "oci://ghcr.io/../orders:1",
            "oci://ghcr.io/acme/Orders:1",
            "oci://user:secret@ghcr.io/orders:1",
            "oci:///orders:1",
            "oci://ghcr.io//orders:1",
            "oci://ghcr.io/orders:1?x=2",
        ] {
            assert!(wrong.parse::<OciReference>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn repositories_have_no_tricks_in_them() {
        for good in ["a", "acme/orders", "a/b/c", "a.b", "a_b", "a__b", "a---b", "0/1"] {
            assert!(is_repository(good), "{good}");
        }
        let long = "a".repeat(256);
        for wrong in
            ["", "/a", "a/", "a//b", "..", "a/../b", "a..b", "a___b", "-a", "a-", "A", "a b", "a%2fb", "a?b", &long]
        {
            assert!(!is_repository(wrong), "{wrong}");
        }
    }
}
