//! The host is built once: were a feature of some small crate on with the tests and off without them, everything
//! above it, wasmtime included, would be compiled a second time.

use std::collections::BTreeSet;

/// Compare the packages of `up` with those of `test`, each a list of `NAME VERSION|FEATURES`.
pub(super) fn check(up: &str, test: &str) -> Vec<String> {
    let test: BTreeSet<&str> = packages(test).collect();
    let different: BTreeSet<&str> = packages(up).filter(|package| !test.contains(package)).collect();
    different.into_iter().map(|package| describe(package, &test)).collect()
}

/// `cargo tree` marks what it has shown before.
fn packages(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty())
}

fn describe(package: &str, test: &BTreeSet<&str>) -> String {
    let (name, features) = package.split_once('|').unwrap_or((package, ""));
    let others: Vec<&str> = test.iter().filter_map(|other| other.strip_prefix(name)?.strip_prefix('|')).collect();
    format!(
        "Cargo.toml: {name} has the features `{features}` in `cargo xtask up` and `{}` in `cargo xtask test`, so that \
         all that depends on it is built twice: ask for the same features in [workspace.dependencies], or turn off \
         the default features where they come from",
        others.join("` or `")
    )
}

#[cfg(test)]
mod tests {
    use super::check;

    const UP: &str = "hull-cli v1|\nsemver v1|serde\nsyn v2|full (*)\n";

    #[test]
    fn more_packages_with_the_tests_are_fine() {
        assert!(check(UP, "hull-cli v1|\nsyn v2|full\nsemver v1|serde (*)\nwat v1|\nsemver v1|default\n").is_empty());
    }

    #[test]
    fn other_features_with_the_tests_fail() {
        let violations = check(UP, "hull-cli v1|\nsyn v2|full\nsemver v1|default,serde\n");
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].contains("semver v1 has the features `serde`"), "{violations:?}");
        assert!(violations[0].contains("`default,serde` in `cargo xtask test`"), "{violations:?}");
    }
}
