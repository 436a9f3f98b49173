//! What tests need of the system and the project does not bring: installed where this may install it.

use std::process::Command;

use crate::workspace::{Workspace, run_to_success};

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Install a package of Debian's.
pub(crate) fn install(workspace: &Workspace, package: &str) -> anyhow::Result<()> {
    eprintln!("installing {package}");
    let mut update = workspace.program("apt-get");
    update.args(["update", "-qq"]);
    let mut install = workspace.program("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends", package]).env("DEBIAN_FRONTEND", "noninteractive");
    run_to_success(update).and_then(|()| run_to_success(install))
}
