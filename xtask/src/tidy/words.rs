//! Words that have no place in a repository: notes to oneself, and paths of one person's machine.

use super::tree::Tree;

/// Put together here, so that this file may hold them.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const MACHINE_PATHS: [&str; 3] = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Every place with one of them.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for file in tree.files() {
        for (index, line) in file.text.lines().enumerate() {
            let place = format!("{}:{}", file.path, index + 1);
            for note in NOTES.iter().filter(|note| has_word(line, note)) {
                violations.push(format!("{place}: `{note}` is a note to oneself: do it, or open an issue"));
            }
            for path in MACHINE_PATHS.iter().filter(|path| has_absolute(line, path)) {
                violations.push(format!("{place}: `{path}…` exists on one machine: use a path below the project"));
            }
        }
    }
    violations
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_of_word) && !after.is_some_and(is_of_word)
    })
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Not within a longer path or an address: `/web` + the path is a route.
fn has_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| is_of_word(before) || ['.', '-', '}', '/', '~', '*'].contains(&before))
    })
}

#[cfg(test)]
mod tests {
    use super::{MACHINE_PATHS, NOTES, check};
    use crate::tidy::tree::Tree;

    fn count(text: &str) -> usize {
        check(&Tree::of(&[("a.rs", text)])).len()
    }

    #[test]
    fn notes_to_oneself_fail() {
        for note in NOTES {
            assert_eq!(count(&format!("// {note}: later")), 1);
            assert_eq!(count(&format!("{note}S are words, {}", note.to_lowercase())), 0);
        }
    }

    #[test]
    fn machine_paths_fail_and_routes_do_not() {
        for path in MACHINE_PATHS {
            assert_eq!(count(&format!("let data = \"{path}me/data\";")), 1, "{path}");
            assert_eq!(count(&format!("GET /web{path}me and {{base}}{path}me")), 0, "{path}");
        }
    }
}
