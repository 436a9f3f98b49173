//! A real PostgreSQL server, for tests: found where systems put it, or installed. Tests run it as a user of its own, for
//! it refuses root.

use std::path::PathBuf;

use crate::packages::ensure as ensure_package;
use crate::workspace::Workspace;

/// The variable that tells tests where its programs are.
pub(crate) const VARIABLE: &str = "HULL_POSTGRES_BIN";
const PACKAGE: &str = "postgresql";
/// Where Debian keeps a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// What tests start.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pg_isready"];

/// The folder of its programs; installed if it is nowhere and this may install it.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    ensure_package(workspace, PACKAGE, find, missing)
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Some(PathBuf::from(named));
    }
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let entries = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| version(path).is_some()).collect();
    versions.sort_by_key(version);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let newest_first = versions.into_iter().rev().map(|folder| folder.join("bin"));
    let mut folders = newest_first.chain(std::env::split_paths(&on_path));
    folders.find(|folder| PROGRAMS.iter().all(|program| folder.join(program).is_file()))
}

fn missing() -> String {
    format!(
        "PostgreSQL is missing (14 or later). Install it with `apt-get install {PACKAGE}`, or with the package of your\n\
         distribution, and put the folder of its programs on the PATH or into {VARIABLE}"
    )
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn what_is_missing_is_told_with_what_installs_it() {
        assert!(missing().contains("`apt-get install postgresql`"));
    }
}
