//! Writes the app that Hull runs for a measurement, and starts Hull on it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::process::{Process, Ready};

/// One component of the app.
pub(crate) struct Component {
    /// Its name and, for all but the first, its route.
    pub(crate) name: String,
    /// The built file.
    pub(crate) source: PathBuf,
}

/// The manifest: the first component answers everything that no other does.
pub(crate) fn manifest(components: &[Component], reuse: &str) -> String {
    let mut text = String::from("spin_manifest_version = 2\n[application]\nname = \"bench\"\nversion = \"1.0.0\"\n");
    for (index, Component { name, source }) in components.iter().enumerate() {
        let route = if index == 0 { "/...".to_owned() } else { format!("/{name}") };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"{name}\"\n\
             [component.{name}]\nsource = \"{}\"\n\
             [component.{name}.tool.hull]\nreuse = \"{reuse}\"\n\
             [component.{name}.tool.hull.limits]\nconcurrency = 64\n",
            source.display()
        );
    }
    text
}

/// Run `hull up` on the manifest, with its state in `folder`. What it compiles is kept there.
pub(crate) fn up(hull: &Path, folder: &Path, manifest: &str) -> anyhow::Result<Process> {
    up_with(hull, folder, manifest, &[])
}

/// The same, with more flags.
pub(crate) fn up_with(hull: &Path, folder: &Path, manifest: &str, flags: &[&str]) -> anyhow::Result<Process> {
    let file = folder.join("spin.toml");
    std::fs::write(&file, manifest).with_context(|| format!("cannot write {}", file.display()))?;
    up_from(hull, &file, &folder.join("state"), flags)
}

/// `hull up` on a manifest that is there already.
pub(crate) fn up_from(hull: &Path, file: &Path, state: &Path, flags: &[&str]) -> anyhow::Result<Process> {
    let mut command = Command::new(hull);
    command.arg("up").arg("-f").arg(file).args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.arg("--state-dir").arg(state).arg("--json").args(flags);
    Process::start(command, Ready::JsonOnStdout)
}

#[cfg(test)]
mod tests {
    use super::{Component, manifest};

    #[test]
    fn every_component_has_a_route_of_its_own() {
        let component = |name: &str| Component { name: name.to_owned(), source: "a.wasm".into() };
        let text = manifest(&[component("one"), component("two")], "serial");
        assert!(text.contains("route = \"/...\"\ncomponent = \"one\""), "{text}");
        assert!(text.contains("route = \"/two\"\ncomponent = \"two\""), "{text}");
        assert_eq!(text.matches("reuse = \"serial\"").count(), 2, "{text}");
    }
}
