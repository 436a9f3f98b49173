//! What a manifest says about files is checked by whoever can see the disk: this crate asks through a trait, and
//! looks at nothing itself.

use crate::problem::Invalid;

/// What is found at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file that can be read.
    File,
    /// A directory.
    Directory,
}

/// Looks at the disk. Paths are relative to the manifest's own directory.
pub trait Files {
    /// What is there; none if nothing is.
    fn kind(&self, path: &str) -> Option<FileKind>;
}

/// Check a path that must stay below the manifest's directory or the guest's mount.
pub(crate) fn check_contained(path: &str) -> Result<(), Invalid> {
    let wrong = |what: &str, remedy: &str| Err(Invalid::new(format!("\"{path}\" {what}"), remedy));
    if path.is_empty() {
        return Err(Invalid::new("the path is empty", "write a path"));
    }
    if path.starts_with('/') {
        return wrong("is absolute", "write a path relative to the manifest");
    }
    if path.split('/').any(|part| part == "..") {
        return wrong("leads out of the manifest's directory", "write a path without ..");
    }
    if path.contains(['\0', '\\']) {
        return wrong("has a character that paths cannot have here", "write a path with forward slashes");
    }
    Ok(())
}
