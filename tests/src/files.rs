//! Where things are: the binary under test, built guests, the project.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The root of the project.
pub fn project() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The folder that this test program was built into.
pub fn built() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let folder = program.parent().and_then(Path::parent);
    Ok(folder.context("this program is in no folder")?.to_owned())
}

/// The `hull` program: the one that `HULL_PROGRAM` names, the one beside the tests, or where the project builds it.
pub fn hull() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os("HULL_PROGRAM") {
        return Ok(named.into());
    }
    let places = [built()?.join("hull"), project().join("target/release/hull")];
    let found = places.into_iter().find(|place| place.is_file());
    found.context("there is no hull program; `cargo build --release -p hull-cli` makes it, as `cargo xtask test` does")
}

/// A guest of `tests/guests`, by the name of its file.
pub fn guest(name: &str) -> anyhow::Result<PathBuf> {
    component(&project().join("tests/guests"), name)
}

/// A component of `components`, by the name of its file.
pub fn shop_component(name: &str) -> anyhow::Result<PathBuf> {
    component(&project().join("components"), name)
}

fn component(workspace: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = workspace.join("target/wasm32-wasip2/release").join(format!("{name}.wasm"));
    anyhow::ensure!(path.is_file(), "{} is not there; `cargo xtask test` builds it", path.display());
    Ok(path)
}
