//! Builds the components. They have workspaces of their own, because they are compiled for another target.

use crate::toolchain::GUEST_TARGET;
use crate::workspace::{Workspace, run_to_success};

/// The shop.
pub(crate) const SHOP: &str = "components";
/// The small apps to learn from.
pub(crate) const EXAMPLES: &str = "examples";
/// Guests that only tests need.
pub(crate) const TEST_GUESTS: &str = "tests/guests";

/// Build every component of one guest workspace, if the project has it.
pub(crate) fn build(workspace: &Workspace, folder: &str) -> anyhow::Result<()> {
    if !exists(workspace, folder) {
        return Ok(());
    }
    eprintln!("building the components in {folder}/");
    let mut cargo = workspace.cargo(folder);
    // Manifests name the files below `target`, wherever the host itself is built.
    cargo.args(["build", "--release", "--target", GUEST_TARGET, "--target-dir", "target"]);
    run_to_success(cargo)
}

/// Whether the project has this guest workspace.
pub(crate) fn exists(workspace: &Workspace, folder: &str) -> bool {
    workspace.root().join(folder).join("Cargo.toml").is_file()
}
