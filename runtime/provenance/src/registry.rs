//! Registries, as the OCI distribution specification has them: the manifest of an artifact, and the blob that is the
//! component. Packages are found as the tools around `wasm-pkg` find them.

mod challenge;
mod credentials;
mod manifest;
mod metadata;
mod repository;

pub(crate) use metadata::resolve;

use hull_manifest::Digest;
use sha2::{Digest as _, Sha256};

use crate::cache::hex;
use crate::failed::Why;
use crate::reference::OciReference;
use crate::transport::Transport;
use manifest::InManifest;
use repository::Repository;

/// What a registry knows of a component.
pub(crate) struct Pulled<'a> {
    pub(crate) repository: Repository<'a>,
    pub(crate) component: InManifest,
    /// With the digest of the manifest, so that it can be found again.
    pub(crate) source: String,
}

/// Read the manifest.
pub(crate) async fn pull<'a>(
    transport: &'a Transport,
    reference: &'a OciReference,
    bytes_max: u64,
) -> Result<Pulled<'a>, Why> {
    let mut repository = Repository::new(transport, reference);
    let wanted = reference.digest.as_ref().map(Digest::as_str).or(reference.tag.as_deref()).unwrap_or_default();
    let text = repository.manifest(wanted).await?;
    let found = hex(Sha256::new_with_prefix(&text));
    if let Some(wanted) = reference.digest.as_ref().filter(|wanted| wanted.hex() != found) {
        return Err(Why::WrongDigest { wanted: wanted.to_string(), found });
    }
    let component = InManifest::read(&text, bytes_max)
        .map_err(|why| Why::Registry(format!("the manifest of {reference} is not one of a component: {why}")))?;
    let pinned = OciReference { digest: format!("sha256:{found}").parse().ok(), ..reference.clone() };
    Ok(Pulled { repository, component, source: pinned.to_string() })
}
