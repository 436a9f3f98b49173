//! What the tests of provenance need of the system: a real registry, and `openssl` to check signatures with; found where
//! systems put them, or installed.

use std::path::PathBuf;

use crate::packages::ensure as ensure_package;
use crate::workspace::Workspace;

/// The variable that tells tests where the registry is.
pub(crate) const VARIABLE: &str = "HULL_REGISTRY";
/// What Debian calls the registry and its package, and what others call it.
const PROGRAM: &str = "docker-registry";
const OTHER_NAME: &str = "registry";
const OPENSSL: &str = "openssl";

/// Where the registry is; installed, as `openssl` is, if it is nowhere and this may install it.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    ensure_package(workspace, OPENSSL, || on_path(OPENSSL), || missing("openssl (3.0 or later)", OPENSSL))?;
    ensure_package(workspace, PROGRAM, find, || missing("A registry, docker-registry 2.8 or later,", PROGRAM))
}

fn find() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    named.or_else(|| on_path(PROGRAM)).or_else(|| on_path(OTHER_NAME))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&on_path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn missing(what: &str, package: &str) -> String {
    format!(
        "{what} is missing. Install it with `apt-get install {package}`, or with the package of your distribution, and put \
         it on the PATH (a registry: or into {VARIABLE})"
    )
}

#[cfg(test)]
mod tests {
    use super::{PROGRAM, missing};

    #[test]
    fn what_is_missing_is_told_with_what_installs_it() {
        assert!(missing("A registry", PROGRAM).contains("`apt-get install docker-registry`"));
    }
}
