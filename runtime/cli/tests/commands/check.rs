//! `hull check`.

use serde_json::Value;

use crate::run::{Folder, manifest};

/// A component that exports and imports nothing.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// An app whose only trigger needs no component.
fn static_app(component: &str) -> String {
    manifest(component).replace("component = \"greeter\"", "static_response = { body = \"hi\" }")
}

#[test]
fn an_app_that_is_in_order_is_shown_with_its_defaults() {
    let folder = Folder::new().with("spin.toml", static_app("")).with("greeter.wasm", EMPTY_COMPONENT);
    let effective = folder.hull("check").succeeded();
    for line in ["[component.greeter.tool.hull.limits]", "memory = \"64MiB\"", "source = \"greeter.wasm\""] {
        assert!(effective.contains(line), "no {line} in\n{effective}");
    }
    // What is printed is a manifest of the same meaning.
    let again = Folder::new().with("spin.toml", &effective).with("greeter.wasm", EMPTY_COMPONENT);
    assert_eq!(again.hull("check").succeeded(), effective);
    let json = folder.hull("check --json").json();
    assert_eq!(json["ok"], true);
    assert_eq!(json["app"]["component"]["greeter"]["tool"]["hull"]["limits"]["memory"], "64MiB");
    assert_eq!(json["host"]["state-dir"], ".hull");
}

#[test]
fn all_problems_of_both_files_are_told_at_once() {
    let text = static_app("colour = \"red\"\nfiles = 7");
    let folder = Folder::new().with("spin.toml", text).with("hull.toml", "listen = \"somewhere\"\n");
    let ended = folder.hull("check");
    assert_eq!(ended.stdout, "");
    ended.failed_saying(&[
        "4 problems to mend",
        "\nspin.toml:8:10: `component.greeter.source`: \"greeter.wasm\" is not there\n    build it first, with `hull",
        "\nspin.toml:9:1: ",
        "\nspin.toml:10:9: ",
        "\nhull.toml:1:10: ",
    ]);
    let ended = folder.hull("check --json");
    let json = ended.json();
    assert_eq!((ended.status, &json["ok"]), (1, &Value::Bool(false)));
    let places: Vec<(&str, u64)> = json["problems"].as_array().expect("a list").iter().map(place).collect();
    assert_eq!(places, [("spin.toml", 8), ("spin.toml", 9), ("spin.toml", 10), ("hull.toml", 1)]);
}

fn place(problem: &Value) -> (&str, u64) {
    let text = |key: &str| problem[key].as_str().expect("a text");
    assert!(!text("message").is_empty() && !text("remedy").is_empty() && problem["column"].is_u64(), "{problem}");
    (text("file"), problem["line"].as_u64().expect("a number"))
}

#[test]
fn a_missing_manifest_says_what_to_do() {
    Folder::new().hull("check").failed_saying(&["there is no spin.toml", "hull new http NAME"]);
    Folder::new().hull("check --config mine.toml -f x/").failed_saying(&["there is no x/"]);
    let folder = Folder::new().with("spin.toml", static_app("")).with("greeter.wasm", EMPTY_COMPONENT);
    folder.hull("check --config mine.toml").failed_saying(&["cannot read the host's configuration mine.toml"]);
}

#[test]
fn a_folder_stands_for_the_manifest_in_it() {
    let folder = Folder::new().with("app/spin.toml", static_app("")).with("app/greeter.wasm", EMPTY_COMPONENT);
    assert!(folder.hull("check -f app").succeeded().contains("[component.greeter]"));
    assert!(folder.hull("check -f app/spin.toml").succeeded().contains("[component.greeter]"));
}

#[test]
fn variables_come_from_the_environment() {
    let text = static_app("variables = { url = \"{{ api_url }}\" }\n[variables]\napi_url = { required = true }");
    let folder = Folder::new().with("spin.toml", text).with("greeter.wasm", EMPTY_COMPONENT);
    folder.hull("check").failed_saying(&["`api_url` is required", "set SPIN_VARIABLE_API_URL"]);
    folder.hull_with("check", &[("SPIN_VARIABLE_API_URL", "http://x.example")]).succeeded();
}

#[test]
fn components_are_looked_into() {
    let folder = Folder::new().with("spin.toml", manifest(""));
    for (bytes, said) in [
        (CORE_MODULE, "core WebAssembly module"),
        (b"not wasm", "not a WebAssembly component"),
        (EMPTY_COMPONENT, "needs a component that exports wasi:http/incoming-handler@0.2"),
    ] {
        std::fs::write(folder.path().join("greeter.wasm"), bytes).expect("written");
        folder.hull("check").failed_saying(&["1 problem with the components", "greeter.wasm: hello/greeter: ", said]);
        let json = folder.hull("check --json").json();
        assert!(json["problems"][0]["message"].as_str().expect("a text").contains(said), "{json}");
    }
}

#[test]
fn migrations_are_read_as_a_deployment_would() {
    let granted = "sqlite_databases = [\"default\"]\n[component.greeter.tool.hull]\nmigrations = \"m\"";
    let folder = Folder::new().with("spin.toml", static_app(granted)).with("greeter.wasm", EMPTY_COMPONENT);
    let folder = folder.with("m/1_a.sql", "CREATE TABLE t (n INTEGER)");
    folder.hull("check").succeeded();
    let folder = folder.with("m/3_b.sql", "SELECT 1");
    folder.hull("check").failed_saying(&["m: hello/greeter: `migrations` of [component.greeter.tool.hull]", "3_b"]);
}

#[test]
fn pipes_are_not_waited_for() {
    let folder = Folder::new().with("spin.toml", static_app("")).with("greeter.wasm", EMPTY_COMPONENT);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    folder.hull("check -f pipe").failed_saying(&["cannot read the manifest pipe", "not a regular file"]);
    folder.hull("check --config pipe").failed_saying(&["configuration pipe", "not a regular file"]);
    folder.hull("status --admin 127.0.0.1:9 --token-file pipe").failed_saying(&["not a regular file"]);
}
