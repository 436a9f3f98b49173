//! What is committed next if a deployment succeeds.

use std::collections::BTreeMap;

use hull_manifest::Name;

use crate::deployments::DeploymentError;
use crate::revisions::{Draft, Record, Removal, Store, StoreError};

/// The number of the last revision, and the one to go back to.
pub(crate) fn wanted(store: &Store, app: &Name, to: Option<u64>) -> Result<(u64, Record), StoreError> {
    let none = |revision| StoreError::NoRevision { app: app.to_string(), revision };
    let last = store.current(app)?.ok_or_else(|| none(to.unwrap_or(1)))?;
    let to = to.unwrap_or_else(|| last.restores.unwrap_or(last.revision).saturating_sub(1));
    Ok((last.revision, store.record(app, to)?))
}

/// Whether an app that was removed may be deployed again: as a whole, and with nothing left of it that is to go.
pub(crate) fn check_removal(app: &Name, removal: Option<Removal>, is_whole: bool) -> Result<(), DeploymentError> {
    match removal {
        Some(Removal::Purged) => Err(DeploymentError::Conflict(format!(
            "app {app} is removed, and not all of it is purged yet; `hull remove {app} --purge` goes on with it"
        ))),
        Some(Removal::Kept) if !is_whole => {
            Err(DeploymentError::Missing(format!("app {app} was removed; deploy its manifest first")))
        }
        _ => Ok(()),
    }
}

/// What is committed if the deployment succeeds.
pub(crate) fn next_record(
    app: &Name,
    draft: &Draft,
    before: Option<&Record>,
    by: String,
) -> Result<Record, DeploymentError> {
    let last = before.map_or(0, |before| before.revision);
    let head = draft.head.clone();
    if let Some(expected) = head.if_revision.filter(|expected| *expected != last) {
        let what = format!("app {app} is at revision {last}, and not at {expected}; nothing was changed");
        return Err(DeploymentError::Conflict(what));
    }
    let (manifest, components, files, variables) = match head.manifest {
        Some(manifest) => (manifest, head.components, head.files, head.variables),
        None => {
            let missing =
                || DeploymentError::Missing(format!("app {app} was never deployed; deploy its manifest first"));
            let before = before.cloned().ok_or_else(missing)?;
            if let Some(unknown) = head.components.keys().find(|name| !before.components.contains_key(*name)) {
                return Err(DeploymentError::Missing(format!("app {app} has no component {unknown:?}")));
            }
            let mut components = before.components;
            components.extend(head.components);
            (before.manifest, components, before.files, before.variables)
        }
    };
    Ok(Record {
        app: app.to_string(),
        revision: last + 1,
        time: hull_clock::rfc3339_now(),
        by,
        message: head.message,
        restores: None,
        forced: Vec::new(),
        version: String::new(),
        manifest,
        components,
        signed_by: BTreeMap::new(),
        files,
        variables,
    })
}
