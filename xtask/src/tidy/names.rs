//! Names say what is inside: a file begins with what it does and why, and nothing is called after a drawer.

use super::tree::{File, Tree};

/// Names for whatever did not fit elsewhere.
const DRAWERS: [&str; 9] = ["util", "utils", "common", "commons", "helper", "helpers", "misc", "manager", "managers"];

/// Rust files with a name that says nothing, or without a first line.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.files().iter().filter(|file| file.is("rs")).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<String> {
    let path = &file.path;
    let mut violations = Vec::new();
    if !file.text.lines().next().is_some_and(|line| line.starts_with("//! ")) {
        violations.push(format!("{path}:1: begin with `//! `: what the file does, then why it is there"));
    }
    if path.ends_with("/mod.rs") {
        violations.push(format!("{path}: no mod.rs: ten tabs called mod.rs tell nothing; name it FOLDER.rs"));
    }
    let parts = path.trim_end_matches(".rs").split('/');
    for name in parts.chain(modules(&file.text)) {
        if let Some(drawer) = name.split(['_', '-']).find(|word| DRAWERS.contains(word)) {
            violations
                .push(format!("{path}: `{name}` is a drawer, not a name: say what it does instead of `{drawer}`"));
        }
    }
    violations
}

/// Modules written inside the file; those in files of their own have a path.
fn modules(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix('{').map(str::trim)
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    fn violations(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn a_file_that_says_what_it_does_passes() {
        assert!(violations("a/src/breaker.rs", "//! Trips.\nmod tests {\n}\n").is_empty());
        assert!(violations("README.md", "no first line needed").is_empty());
    }

    #[test]
    fn a_file_without_its_first_line_fails() {
        for text in ["", "use a;\n//! late", "// not a doc comment", "\n//! second"] {
            assert!(violations("a.rs", text)[0].contains("begin with"), "{text}");
        }
    }

    #[test]
    fn mod_rs_fails() {
        assert!(violations("a/src/b/mod.rs", "//! x")[0].contains("no mod.rs"));
    }

    #[test]
    fn drawers_fail_as_file_folder_and_module() {
        for path in ["a/utils.rs", "a/common/b.rs", "a/http_helpers.rs", "a/connection-manager/b.rs"] {
            assert!(violations(path, "//! x").iter().any(|found| found.contains("drawer")), "{path}");
        }
        assert!(violations("a.rs", "//! x\npub mod misc {\n}")[0].contains("drawer"));
        assert!(violations("a/commonplace.rs", "//! x").is_empty());
    }
}
