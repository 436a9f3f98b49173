//! Keys that components are signed with, hosts that know them, and components in files of their own.

use std::path::Path;

use hull_tests::app::App;
use hull_tests::files;
use serde_json::Value;

use crate::parts::manifest;

/// The app of two components, each with a file in the app's folder.
pub(crate) fn app_of_files(mark: &str) -> anyhow::Result<App> {
    let app = App::of_text(&manifest_of_files(mark))?;
    for component in ["front", "back"] {
        std::fs::copy(files::guest("probe")?, app.folder().join(format!("{component}.wasm")))?;
    }
    Ok(app)
}

/// Its manifest.
pub(crate) fn manifest_of_files(mark: &str) -> String {
    manifest("pair", mark, "").replacen("{probe}", "front.wasm", 1).replacen("{probe}", "back.wasm", 1)
}

/// Make a key; the line of `hull.toml` that names it.
pub(crate) fn key(app: &App, name: &str) -> anyhow::Result<String> {
    let made = app.tool(&["keygen", &format!("{name}.pem")])?.good()?;
    let line = made.stdout.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap_or_default();
    anyhow::ensure!(!line.is_empty(), "{}", made.said());
    Ok(line.to_owned())
}

/// Have hosts that are started from now on take only what these have signed.
pub(crate) fn trust(app: &App, lines: &[&str]) -> anyhow::Result<()> {
    app.write("hull.toml", &format!("[signatures.keys]\n{}\n", lines.join("\n")))
}

/// Sign a component of the app's folder.
pub(crate) fn sign(app: &App, file: &str, key: &str) -> anyhow::Result<()> {
    app.tool(&["sign", file, "--key", &format!("{key}.pem")])?.good().map(drop)
}

/// Another file of the same meaning: something is appended that nobody reads.
pub(crate) fn append(path: &Path) -> anyhow::Result<()> {
    let mut bytes = std::fs::read(path)?;
    // A custom section of one byte's name.
    bytes.extend([0, 2, 1, b'x']);
    Ok(std::fs::write(path, bytes)?)
}

/// How many revisions there are, and who has signed what in the last one.
pub(crate) fn last(app: &App) -> anyhow::Result<(usize, Value)> {
    let history = app.command(&["history", "--json"])?.json()?;
    let revisions = history["revisions"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok((revisions.len(), revisions.first().map_or(Value::Null, |last| last["signed_by"].clone())))
}
