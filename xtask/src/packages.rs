//! What tests need of the system and the project does not bring: installed where this may install it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::workspace::{Workspace, run_to_success};

/// What `find` finds; where that is nothing, a package of Debian's is installed, if this process may.
pub(crate) fn ensure(
    workspace: &Workspace,
    package: &str,
    find: fn() -> Option<PathBuf>,
    missing: fn() -> String,
) -> anyhow::Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if !is_root() {
        bail!("{}", missing());
    }
    install(workspace, package).with_context(missing)?;
    find().with_context(missing)
}

/// Whether this process may install packages.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Install a package of Debian's.
fn install(workspace: &Workspace, package: &str) -> anyhow::Result<()> {
    eprintln!("installing {package}");
    let mut update = workspace.program("apt-get");
    update.args(["update", "-qq"]);
    let mut install = workspace.program("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends", package]).env("DEBIAN_FRONTEND", "noninteractive");
    run_to_success(update).and_then(|()| run_to_success(install))
}
