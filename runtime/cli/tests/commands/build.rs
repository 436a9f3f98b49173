//! `hull build`.

use crate::run::{Folder, manifest};

/// An app of components whose build tables are these.
fn app(builds: &[(&str, &str)]) -> String {
    let component = |(name, build): &(&str, &str)| {
        format!("[component.{name}]\nsource = \"{name}.wasm\"\n[component.{name}.build]\n{build}\n")
    };
    manifest("") + &builds.iter().map(component).collect::<String>()
}

#[test]
fn commands_run_in_their_folders_and_shared_ones_once() {
    let shared = "command = [\"echo one >> log\", \"echo two >> log\"]\nworkdir = \"src\"";
    let folder = Folder::new().with("src/log", "").with("spin.toml", app(&[("a", shared), ("b", shared)]));
    let ended = folder.hull("build");
    assert!(ended.stderr.contains("building a, b\nbuilt a, b in "), "{}", ended.stderr);
    assert_eq!(ended.succeeded(), "");
    let log = || std::fs::read_to_string(folder.path().join("src/log")).expect("the log");
    assert_eq!(log(), "one\ntwo\n");
    let json = folder.hull("build --json --verbose b").json();
    assert_eq!(json["built"], serde_json::json!(["b"]));
    assert_eq!(log(), "one\ntwo\none\ntwo\n");
}

#[test]
fn all_failures_are_told_with_their_components() {
    let folder = Folder::new().with(
        "spin.toml",
        app(&[
            ("a", "command = \"echo why >&2; exit 3\""),
            ("b", "command = \"echo made > b.wasm\""),
            ("c", "command = \"true\"\nworkdir = \"missing\""),
        ]),
    );
    let ended = folder.hull("build");
    assert!(!ended.stderr.contains("made"), "{}", ended.stderr);
    ended.failed_saying(&[
        "not built: a, c",
        "a: `echo why >&2; exit 3` in . ended with exit status: 3\n    why",
        "c: `true` in ./missing could not be started",
    ]);
    assert!(folder.path().join("b.wasm").exists());
    let ended = folder.hull("build --json");
    let json = ended.json();
    assert_eq!((ended.status, &json["built"]), (1, &serde_json::json!(["b"])));
    assert_eq!(json["failed"][0]["components"], serde_json::json!(["a"]));
    assert_eq!(json["failed"][0]["output"], serde_json::json!(["why"]));
}

#[test]
fn nothing_to_build_is_told() {
    let folder = Folder::new().with("spin.toml", manifest(""));
    folder.hull("build").failed_saying(&["there is nothing to build"]);
    folder.hull("build unknown").failed_saying(&["has no component `unknown`: it has greeter"]);
}
