//! `cargo xtask tidy`: the rules of the house that compilers do not check. Each is a pure function from what was
//! read to what is wrong, and each says what to do about it.

mod crates;
mod dependencies;
mod exceptions;
mod features;
mod functions;
mod links;
mod names;
mod sizes;
mod tree;
mod words;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::workspace::{Workspace, output_of};

/// Check everything and print what is wrong.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    let violations = check(workspace)?;
    for violation in &violations {
        eprintln!("tidy: {violation}");
    }
    if violations.is_empty() {
        eprintln!("tidy: nothing to complain about");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tidy: {} to mend", violations.len());
    Ok(ExitCode::FAILURE)
}

/// Everything that is wrong with the project, one message each.
fn check(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let root = workspace.root();
    let tree = tree::read(root)?;
    let exceptions = tree.text(exceptions::FILE).context("xtask/tidy-exceptions.txt is missing")?;
    let crates = crates::from_metadata(&metadata(workspace)?, root)?;

    let mut violations = dependencies::check(&crates);
    violations.extend(crates::check(&crates, &tree));
    violations.extend(features::check(&selection(workspace, "up")?, &selection(workspace, "test")?));
    violations.extend(sizes::check(&tree, exceptions));
    violations.extend(names::check(&tree));
    violations.extend(links::check(&tree));
    violations.extend(words::check(&tree));
    violations.sort();
    Ok(violations)
}

/// Only for this platform, so that nothing has to be downloaded that is not built either.
fn metadata(workspace: &Workspace) -> anyhow::Result<serde_json::Value> {
    let mut rustc = workspace.program("rustc");
    rustc.arg("-vV");
    let about = output_of(rustc)?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let mut cargo = workspace.cargo("");
    cargo.args(["metadata", "--format-version=1", "--filter-platform", host]);
    serde_json::from_str(&output_of(cargo)?).context("cannot read the output of `cargo metadata`")
}

/// Every package with its features, as `up` or `test` builds it. Without what only runs while compiling: `cargo
/// tree` mixes those up with packages that are the same but for their features.
fn selection(workspace: &Workspace, task: &str) -> anyhow::Result<String> {
    let (packages, edges): (&[&str], &str) = match task {
        "up" => (&["--package", "hull-cli"], "normal,no-proc-macro"),
        _ => (&["--workspace"], "normal,dev,no-proc-macro"),
    };
    let mut cargo = workspace.cargo("");
    cargo.arg("tree").args(packages).args(["--edges", edges, "--prefix", "none", "--format", "{p}|{f}"]);
    output_of(cargo)
}

/// The path below the root with `/`, as messages and the list of exceptions write it.
fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::workspace::Workspace;

    #[test]
    fn the_project_is_tidy() {
        let workspace = Workspace::find().expect("inside the project");
        let violations = check(&workspace).expect("readable");
        assert!(violations.is_empty(), "`cargo xtask tidy` finds:\n{}", violations.join("\n"));
    }
}
