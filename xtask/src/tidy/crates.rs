//! The workspace's crates as `cargo metadata` tells them, and the rules for each by itself: its name is its path,
//! and it takes the workspace's lints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::tree::Tree;

/// One crate of the workspace. Dependencies for tests are left out: tests may know more than what they test.
pub(super) struct Crate {
    /// As in its `Cargo.toml`.
    pub(super) name: String,
    /// Below the root.
    pub(super) folder: String,
    /// What its `Cargo.toml` names.
    pub(super) direct: BTreeSet<String>,
    /// What those bring along, themselves included.
    pub(super) reached: BTreeSet<String>,
}

impl Crate {
    /// Whether this is a part of the host, rather than something that tests or builds it.
    pub(super) fn is_host(&self) -> bool {
        ["runtime/", "scheduler/", "host-apis/"].iter().any(|room| self.folder.starts_with(room))
    }
}

/// All crates of the workspace, from what `cargo metadata` prints.
pub(super) fn from_metadata(metadata: &Value, root: &Path) -> anyhow::Result<Vec<Crate>> {
    let graph = graph(metadata);
    let packages = items(metadata, "packages");
    let names: BTreeMap<&str, &str> =
        packages.iter().filter_map(|package| Some((text(package, "id")?, text(package, "name")?))).collect();
    let members: Vec<&str> = items(metadata, "workspace_members").iter().filter_map(Value::as_str).collect();
    let read = |package: &Value| {
        let id = text(package, "id").filter(|id| members.contains(id))?;
        let declared = items(package, "dependencies").iter().filter(|dependency| !is_for_tests(dependency));
        Some(Crate {
            name: text(package, "name")?.to_owned(),
            folder: super::shown(Path::new(text(package, "manifest_path")?).parent()?, root),
            direct: declared.filter_map(|dependency| text(dependency, "name")).map(str::to_owned).collect(),
            reached: reach(&graph, id).iter().filter_map(|id| names.get(id)).map(|&name| name.to_owned()).collect(),
        })
    };
    let crates: Vec<Crate> = packages.iter().filter_map(read).collect();
    (!crates.is_empty()).then_some(crates).context("`cargo metadata` tells of no crates")
}

/// Ids of packages, and of those that each depends on.
type Graph<'a> = BTreeMap<&'a str, Vec<&'a str>>;

fn graph(metadata: &Value) -> Graph<'_> {
    let nodes = metadata.get("resolve").map(|resolve| items(resolve, "nodes")).unwrap_or_default();
    let edges = |node| {
        let normal = items(node, "deps").iter().filter(|dependency| {
            items(dependency, "dep_kinds").iter().any(|kind| kind.get("kind").is_none_or(Value::is_null))
        });
        normal.filter_map(|dependency| text(dependency, "pkg")).collect()
    };
    nodes.iter().filter_map(|node| Some((text(node, "id")?, edges(node)))).collect()
}

fn is_for_tests(dependency: &Value) -> bool {
    text(dependency, "kind") == Some("dev")
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn reach<'a>(graph: &Graph<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = graph.get(from).cloned().unwrap_or_default();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(graph.get(next).into_iter().flatten());
        }
    }
    reached
}

/// Names that are not paths, and crates outside of the workspace's lints.
pub(super) fn check(crates: &[Crate], tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for Crate { name, folder, .. } in crates {
        let last = folder.rsplit('/').next().unwrap_or(folder);
        let short = format!("hull-{last}");
        let whole = format!("hull-{}", folder.replace('/', "-"));
        if ![last, &short, &whole].contains(&name.as_str()) {
            violations.push(format!("{folder}/Cargo.toml: a crate's name is its path: call it {short}, not {name}"));
        }
        let manifest = tree.text(&format!("{folder}/Cargo.toml")).unwrap_or_default();
        if !takes_workspace_lints(manifest) {
            violations.push(format!(
                "{folder}/Cargo.toml: add `[lints]` with `workspace = true`: every crate keeps the same rules"
            ));
        }
    }
    violations
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let mut in_lints = false;
    manifest.lines().any(|line| {
        let line: String = line.chars().filter(|character| !character.is_whitespace()).collect();
        if line.starts_with('[') {
            in_lints = line == "[lints]";
        }
        line == "lints.workspace=true" || (in_lints && line == "workspace=true")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{Crate, check, from_metadata};
    use crate::tidy::tree::Tree;

    fn violations(name: &str, folder: &str, manifest: &str) -> Vec<String> {
        let sample = Crate { name: name.to_owned(), folder: folder.to_owned(), direct: [].into(), reached: [].into() };
        check(&[sample], &Tree::of(&[(&format!("{folder}/Cargo.toml"), manifest)]))
    }

    const LINTS: &str = "[package]\nname = \"x\"\n[lints]\nworkspace = true\n";

    #[test]
    fn a_name_that_is_the_path_passes() {
        for (name, folder) in [
            ("hull-keyvalue", "host-apis/keyvalue"),
            ("hull-host-apis-keyvalue", "host-apis/keyvalue"),
            ("hull-tests", "tests"),
            ("xtask", "xtask"),
        ] {
            assert_eq!(violations(name, folder, LINTS), Vec::<String>::new());
        }
    }

    #[test]
    fn any_other_name_fails() {
        for name in ["hull-kv", "hull-storage", "keyvalues"] {
            assert!(violations(name, "host-apis/keyvalue", LINTS)[0].contains("call it hull-keyvalue"), "{name}");
        }
    }

    #[test]
    fn a_crate_without_the_workspaces_lints_fails() {
        for manifest in
            ["", "[package]\nworkspace = true", "[lints]\n[x]\nworkspace = true", "[lints]\nworkspace = false"]
        {
            assert!(violations("xtask", "xtask", manifest)[0].contains("[lints]"), "{manifest}");
        }
        assert!(violations("xtask", "xtask", "[package]\nlints.workspace = true").is_empty());
    }

    #[test]
    fn dependencies_are_read_with_what_they_bring_along_and_without_those_for_tests() {
        let edge = |to: &str, kind: Option<&str>| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "workspace_members": ["hull 1"],
            "packages": [
                { "id": "hull 1", "name": "hull", "manifest_path": "/project/runtime/hull/Cargo.toml", "dependencies": [
                    { "name": "tokio", "kind": null }, { "name": "cc", "kind": "build" }, { "name": "wat", "kind": "dev" },
                ] },
                { "id": "tokio 1", "name": "tokio", "manifest_path": "/elsewhere/tokio/Cargo.toml", "dependencies": [] },
                { "id": "mio 1", "name": "mio", "manifest_path": "/elsewhere/mio/Cargo.toml", "dependencies": [] },
            ],
            "resolve": { "nodes": [
                { "id": "hull 1", "deps": [edge("tokio 1", None), edge("wat 1", Some("dev"))] },
                { "id": "tokio 1", "deps": [edge("mio 1", None)] },
                { "id": "mio 1", "deps": [] },
            ] },
        });
        let crates = from_metadata(&metadata, Path::new("/project")).expect("one crate");
        assert_eq!(crates.len(), 1);
        assert_eq!(crates[0].folder, "runtime/hull");
        assert_eq!(crates[0].direct, ["cc".to_owned(), "tokio".to_owned()].into());
        assert_eq!(crates[0].reached, ["mio".to_owned(), "tokio".to_owned()].into());
        assert!(from_metadata(&json!({}), Path::new("/project")).is_err());
    }
}
