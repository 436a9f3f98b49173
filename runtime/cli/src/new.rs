//! `hull new`: starts an app from a template. The templates and the WIT files are part of this binary, so that an app
//! can be started anywhere; what they depend on comes from crates.io.

mod templates;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use hull_manifest::Name;
use serde_json::json;

use self::templates::files_of;
use crate::options::NewOptions;
use crate::terminal;

/// Names that a crate cannot have besides those that it depends on, or that Rust does not take for a crate.
const TAKEN: [&str; 14] = [
    "wasip2",
    "wit-bindgen",
    "std",
    "core",
    "alloc",
    "proc-macro",
    "test",
    "self",
    "super",
    "crate",
    "build",
    "deps",
    "examples",
    "incremental",
];

/// Make the folder and everything in it.
pub(crate) fn run(options: &NewOptions) -> anyhow::Result<()> {
    let NewOptions { template, name, json } = options;
    if TAKEN.contains(&name.as_str()) {
        bail!("`{name}` cannot be the name of the crate that is made: choose another one");
    }
    let folder = PathBuf::from(name.as_str());
    match fs::create_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("`{name}` is there already, and nothing of it was touched: choose another name, or move it away")
        }
        made => made.with_context(|| format!("cannot make the folder {name}"))?,
    }
    let files = files_of(*template);
    if let Err(error) = write_all(&folder, name, &files) {
        // Half an app helps nobody; the folder was made a moment ago, for this alone.
        let _ = fs::remove_dir_all(&folder);
        return Err(error);
    }
    let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    if *json {
        let template = template.to_possible_value().map(|value| value.get_name().to_owned());
        return terminal::print_json(&json!({
            "template": template, "name": name.as_str(), "folder": name.as_str(), "files": paths,
        }));
    }
    let made: Vec<String> = paths.iter().map(|path| format!("  {name}/{path}")).collect();
    terminal::print(&format!("made\n{}\nnext\n  cd {name}\n  hull up --build\n", made.join("\n")))
}

fn write_all(folder: &Path, name: &Name, files: &[(&str, &str)]) -> anyhow::Result<()> {
    for (path, text) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, filled(text, name)));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A template with the app's name in it.
fn filled(text: &str, name: &Name) -> String {
    text.replace("%NAME%", name.as_str()).replace("%CRATE%", &name.as_str().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use hull_manifest::{App, Name, Reading};

    use super::{files_of, filled};
    use crate::options::Template;

    #[test]
    fn every_template_is_complete_and_its_manifest_is_right() {
        let name: Name = "my-app".parse().expect("a name");
        for template in Template::value_variants() {
            let files = files_of(*template);
            let text = |wanted: &str| {
                let file = files.iter().find(|(path, _)| *path == wanted);
                filled(file.unwrap_or_else(|| panic!("{template:?} has no {wanted}")).1, &name)
            };
            for path in ["Cargo.toml", ".cargo/config.toml", ".gitignore", "README.md", "src/lib.rs"] {
                assert!(!text(path).contains('%'), "{template:?}: {path}");
            }
            let manifest = text("spin.toml");
            let app = App::parse(&manifest, &Reading::alone("spin.toml"));
            let app = app.unwrap_or_else(|problems| panic!("{template:?}\n{problems}"));
            assert_eq!(app.name, name);
            assert_eq!(app.components[0].source.file(), Some("target/wasm32-wasip2/release/my_app.wasm"));
            if let Some(migrations) = &app.components[0].hull.migrations {
                assert!(files.iter().any(|(path, _)| path.starts_with(migrations)), "{template:?}");
            }
        }
    }
}
