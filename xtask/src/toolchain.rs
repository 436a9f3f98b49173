//! What has to be on the machine before anything is built: a Rust that is new enough, with the target that
//! components are compiled for. What is missing is installed, or named together with the line that installs it.

use anyhow::{Context as _, bail};

use crate::workspace::{Workspace, output_of, run_to_success};

/// What components are compiled for.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// Check the compiler, and install the guest target if it is missing.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<()> {
    let mut version = workspace.program("rustc");
    version.arg("--version");
    let version = output_of(version).context("Rust is missing; install it from https://rustup.rs")?;
    check_version(&version, env!("CARGO_PKG_RUST_VERSION"))?;
    if target_is_installed(workspace)? {
        return Ok(());
    }
    eprintln!("adding the target {GUEST_TARGET}");
    let mut add = workspace.program("rustup");
    add.args(["target", "add", GUEST_TARGET]);
    run_to_success(add).with_context(|| missing_target(&version))?;
    if !target_is_installed(workspace)? {
        bail!("{}", missing_target(&version));
    }
    Ok(())
}

/// The standard library for the target lies in the compiler's own folder, whoever put it there: rustup or a
/// distribution's package.
fn target_is_installed(workspace: &Workspace) -> anyhow::Result<bool> {
    let mut libraries = workspace.program("rustc");
    libraries.args(["--print", "target-libdir", "--target", GUEST_TARGET]);
    let folder = output_of(libraries)?;
    Ok(std::path::Path::new(folder.trim()).is_dir())
}

fn missing_target(version: &str) -> String {
    format!(
        "components are compiled for {GUEST_TARGET}, which this Rust does not have.\n\
         Install it with `rustup target add {GUEST_TARGET}`, or, without rustup, install the package of your\n\
         distribution that holds the standard library of {GUEST_TARGET} for {}",
        version.trim()
    )
}

fn check_version(said: &str, least: &str) -> anyhow::Result<()> {
    let have = said.split_whitespace().nth(1).and_then(major_minor);
    let have = have.with_context(|| format!("cannot read a version from `rustc --version`: {said}"))?;
    let need = major_minor(least).with_context(|| format!("{least} is not a version"))?;
    if have < need {
        bail!("Rust {least} or later is needed, this is {}; run `rustup update stable`", said.trim());
    }
    Ok(())
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{check_version, missing_target};

    #[test]
    fn versions_compare_as_numbers() {
        for new_enough in ["rustc 1.95.0 (59807616e 2026-03-21)", "rustc 1.100.0", "rustc 2.0.0-nightly"] {
            assert!(check_version(new_enough, "1.95").is_ok(), "{new_enough}");
        }
        let error = check_version("rustc 1.9.0", "1.95").expect_err("1.9 is before 1.95").to_string();
        assert!(error.contains("rustup update stable"), "{error}");
        assert!(check_version("something else", "1.95").is_err());
    }

    #[test]
    fn a_missing_target_is_named_with_the_line_that_installs_it() {
        assert!(missing_target("rustc 1.95.0").contains("`rustup target add wasm32-wasip2`"));
    }
}
