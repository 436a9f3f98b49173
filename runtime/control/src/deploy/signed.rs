//! Whose components run here. The bytes that are compiled are the ones that are checked, whatever brings them: a deployment,
//! a rollback, a restart or a file.

use std::path::Path;

use bytes::Bytes;
use hull_manifest::{Component, Name};
use hull_threads::aside;

use crate::deploy::bytes::component_path;
use crate::deploy::served::Deployed;
use crate::error::ComponentProblem;
use crate::node::Node;
use crate::revisions::Record;

impl Node {
    /// Whose key has signed a component; none where the host asks for no signatures.
    pub(crate) async fn signer(
        &self,
        component: &Component,
        base: &Path,
        bytes: &Bytes,
    ) -> Result<Option<Name>, ComponentProblem> {
        let Some(keys) = self.keys.clone() else { return Ok(None) };
        let (bytes, path) = (bytes.clone(), component_path(component, base)?);
        let checked = aside(async move { keys.signer_beside(&path, &bytes).cloned() }).await;
        let checked = checked.map_err(|error| error.to_string());
        let signer = checked.and_then(|signer| signer.map_err(|error| error.to_string()));
        signer.map(Some).map_err(|why| ComponentProblem::new(&component.name, why))
    }
}

impl Record {
    /// With whose keys have signed its components.
    pub(crate) fn signed_as(self, deployed: &Deployed) -> Self {
        let signed = deployed.components.iter();
        let signed = signed.filter_map(|served| Some((served.id.component().to_owned(), served.signed_by.as_ref()?)));
        Self { signed_by: signed.map(|(name, key)| (name, key.to_string())).collect(), ..self }
    }
}
