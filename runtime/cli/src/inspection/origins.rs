//! Where each component of an app comes from, what it is, and who has signed it.

use std::collections::BTreeMap;
use std::path::Path;

use hull_control::Content;
use hull_manifest::{App, Component, Host, Name};
use hull_provenance::{Signature, TrustedKeys};
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

/// Of all components whose files can be read; `sources` says where those came from that were fetched.
pub(crate) fn origins(app: &App, host: &Host, base: &Path, sources: &BTreeMap<Name, String>) -> Vec<Origin> {
    let keys = TrustedKeys::of(host.signatures.as_ref());
    let origin = |component: &Component| {
        let path = base.join(component.source.file()?);
        let bytes = super::read(&path).ok()?;
        let signature = Signature::beside(&path).ok().flatten();
        let signed_by = keys.as_ref().and_then(|keys| keys.signer(&bytes, signature.as_ref()).ok());
        Some(Origin {
            component: component.name.to_string(),
            source: sources.get(&component.name).cloned().unwrap_or_default(),
            sha256: Content::of(&bytes).to_string(),
            signed_by: signed_by.map(ToString::to_string),
            signed: signature.is_some(),
        })
    };
    app.components.iter().filter_map(origin).collect()
}

/// Why a host with these keys would not take a component.
pub(super) fn refusal(keys: &TrustedKeys, path: &Path, bytes: &[u8]) -> Option<String> {
    match Signature::beside(path) {
        Err(error) => Some(error.to_string()),
        Ok(signature) => keys.signer(bytes, signature.as_ref()).err().map(|error| error.to_string()),
    }
}

impl Origin {
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
