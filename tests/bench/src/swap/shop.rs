//! The shop as it is swapped: its manifest with the tests' `probe` beside it, which serves, streams and handles events,
//! and copies of all components whose bytes differ from build to build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::components;

/// The component that does everything.
pub(super) const PROBE: &str = "probe";
/// Its app.
pub(super) const APP: &str = "shop";
/// The shop's manifest, below the project's root.
const MANIFEST: &str = "spin.toml";
/// What of a component is not its code.
const BESIDE: [&str; 4] = ["migrations", "contracts", "contracts/events", "contracts/relies-on"];
/// What a line begins with that names a component's file.
const SOURCE: &str = "source = \"";

/// One build of the shop.
pub(super) struct Build {
    folder: PathBuf,
    probe: PathBuf,
}

impl Build {
    /// Lay it out; all of its components have `number` in them.
    pub(super) fn make(work: &Path, number: u32) -> anyhow::Result<Self> {
        let folder = work.join(format!("build-{number}"));
        let shop = fs::read_to_string(MANIFEST).context("the shop's manifest cannot be read")?;
        for source in sources(&shop) {
            write_numbered(Path::new(source), &folder.join(source), number)?;
        }
        for component in fs::read_dir("components").context("the components cannot be listed")? {
            let component = component?.path();
            for part in BESIDE {
                copy_files(&component.join(part), &folder.join(&component).join(part))?;
            }
        }
        let probe = folder.join("probe.wasm");
        write_numbered(&components::test_guest(PROBE)?, &probe, number)?;
        fs::write(folder.join(MANIFEST), shop + &probe_section(number))?;
        Ok(Self { folder, probe })
    }

    /// Its manifest.
    pub(super) fn manifest(&self) -> String {
        self.folder.join(MANIFEST).display().to_string()
    }

    /// Its probe.
    pub(super) fn probe(&self) -> &Path {
        &self.probe
    }

    /// A probe that no build has.
    pub(super) fn other_probe(&self, number: u32) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(format!("probe-{number}.wasm"));
        write_numbered(&components::test_guest(PROBE)?, &file, number)?;
        Ok(file)
    }
}

fn sources(manifest: &str) -> impl Iterator<Item = &str> {
    manifest.lines().filter_map(|line| line.strip_prefix(SOURCE)?.split('"').next())
}

fn write_numbered(from: &Path, to: &Path, number: u32) -> anyhow::Result<()> {
    let bytes =
        fs::read(from).with_context(|| format!("{} is missing; `cargo xtask bench` builds it", from.display()))?;
    fs::create_dir_all(to.parent().context("no folder")?)?;
    fs::write(to, components::numbered(&bytes, number)).with_context(|| format!("cannot write {}", to.display()))
}

/// Folders within are left out.
fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries {
        let file = entry?.path();
        if file.is_file() {
            fs::create_dir_all(to)?;
            fs::copy(&file, to.join(file.file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn probe_section(number: u32) -> String {
    format!(
        r#"
[[trigger.http]]
route = "/probe/..."
component = "{PROBE}"

[[trigger.messaging]]
component = "{PROBE}"
subjects = ["bench.item"]

[component.{PROBE}]
source = "probe.wasm"
sqlite_databases = ["default"]
environment = {{ BUILD = "{number}" }}

[component.{PROBE}.tool.hull]
migrations = "components/scribe/migrations"
publishes = ["bench.item"]

[component.{PROBE}.tool.hull.limits]
concurrency = 64
time = "30s"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::sources;

    #[test]
    fn the_files_of_a_manifest_are_found() {
        let text = "[component.a]\nsource = \"x/a.wasm\"\nsources = \"b\"\n[component.c]\nsource = \"c.wasm\" # c\n";
        assert_eq!(sources(text).collect::<Vec<_>>(), ["x/a.wasm", "c.wasm"]);
    }
}
