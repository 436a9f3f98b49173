//! Where each component of an app comes from, what it is, and who has signed it.

use std::path::Path;

use hull_control::Content;
use hull_manifest::Name;
use hull_provenance::{NotSigned, Signature, TrustedKeys};
use serde::Serialize;

/// Of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Origin {
    pub(crate) component: String,
    pub(crate) source: String,
    pub(crate) sha256: String,
    /// One of the host's keys; none if the host has none.
    pub(crate) signed_by: Option<String>,
    /// Whether there is a signature, whoever made it.
    pub(crate) signed: bool,
}

impl Origin {
    /// Of a component with these bytes in this file; an error if a host with these keys would not take it.
    pub(super) fn of(
        component: &Name,
        source: Option<&String>,
        file: &Path,
        bytes: &[u8],
        keys: Option<&TrustedKeys>,
    ) -> Result<Self, NotSigned> {
        let signed_by = keys.map(|keys| keys.signer_beside(file, bytes)).transpose()?;
        Ok(Self {
            component: component.to_string(),
            source: source.cloned().unwrap_or_default(),
            sha256: Content::of(bytes).to_string(),
            signed_by: signed_by.map(ToString::to_string),
            signed: signed_by.is_some() || matches!(Signature::beside(file), Ok(Some(_))),
        })
    }

    /// For people.
    pub(crate) fn told(&self) -> String {
        let Self { component, source, sha256, signed_by, signed } = self;
        let signed = match signed_by {
            Some(key) => format!("signed by {key}"),
            None if *signed => "with a signature that nobody has checked".to_owned(),
            None => "not signed".to_owned(),
        };
        format!("{component}: {source}, sha256:{sha256}, {signed}")
    }
}
