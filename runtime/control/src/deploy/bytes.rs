//! Reading component files: bounded, and with an error that says how the file is made.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use hull_manifest::Component;

use crate::error::ComponentProblem;

/// The largest component that is taken, in bytes.
pub const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// The file of a component. What is elsewhere is fetched by whoever deploys.
pub(crate) fn component_path(component: &Component, base: &Path) -> Result<PathBuf, ComponentProblem> {
    let file = component.source.file();
    file.map(|file| base.join(file)).ok_or_else(|| {
        ComponentProblem::new(
            &component.name,
            format!("{} was not fetched; deploy it with `hull deploy`", component.source),
        )
    })
}

/// The bytes of a component. Reads a file: not for the serving threads.
pub(crate) fn component_bytes(component: &Component, base: &Path) -> Result<Bytes, ComponentProblem> {
    let path = component_path(component, base)?;
    let problem = |what: String| {
        let built = match &component.build {
            Some(_) => "run `hull build`, or start with --build",
            None => "build it, or correct the path",
        };
        ComponentProblem::new(
            &component.name,
            format!("`source` of [component.{}]: {}: {what}; {built}", component.name, path.display()),
        )
    };
    let metadata = std::fs::metadata(&path).map_err(|error| problem(error.to_string()))?;
    if !metadata.is_file() {
        return Err(problem("it is not a file".to_owned()));
    }
    if metadata.len() > COMPONENT_BYTES_MAX {
        let most = COMPONENT_BYTES_MAX >> 20;
        return Err(problem(format!("it has {} bytes, and {most} MiB is the most", metadata.len())));
    }
    std::fs::read(&path).map(Bytes::from).map_err(|error| problem(error.to_string()))
}
