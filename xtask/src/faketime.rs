//! libfaketime, with which tests set a host's wall clock while it runs: found where systems put it, or installed.

use std::path::PathBuf;

use crate::packages::ensure as ensure_package;
use crate::workspace::Workspace;

/// The name of its package on Debian.
const PACKAGE: &str = "libfaketime";
/// Where `tests/src/clock.rs` looks for it.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// Install it if it is nowhere and this may install it.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<()> {
    ensure_package(workspace, PACKAGE, find, missing).map(|_| ())
}

fn find() -> Option<PathBuf> {
    LIBRARIES.into_iter().map(PathBuf::from).find(|library| library.is_file())
}

fn missing() -> String {
    format!(
        "libfaketime is missing. Install it with `apt-get install {PACKAGE}`, or with the package of your distribution; it \
         must be one of {}",
        LIBRARIES.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::{LIBRARIES, missing};

    #[test]
    fn what_is_missing_is_told_with_what_installs_it() {
        assert!(missing().contains("`apt-get install libfaketime`"));
    }

    #[test]
    fn the_tests_look_for_it_where_this_does() {
        let tests = std::fs::read_to_string("../tests/src/clock.rs").expect("the file that looks for it");
        assert!(LIBRARIES.iter().all(|library| tests.contains(library)));
    }
}
