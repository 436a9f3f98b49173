//! Files and functions stay small enough to be read in one go.

use super::exceptions::{self, Exception, FILE};
use super::functions;
use super::tree::Tree;

const FILE_LINES: usize = 350;
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES: usize = 70;

/// What is too large, and which exceptions are not true any more.
pub(super) fn check(tree: &Tree, listed: &str) -> Vec<String> {
    let (listed, mut violations) = exceptions::parse(listed);
    let large = find_large(tree);
    for found in &large {
        if found.function.is_none() && found.lines > FILE_LINES_MAX {
            violations.push(format!(
                "{}: {} lines; {FILE_LINES_MAX} is the end, with no exception: split the file by what it does",
                found.path, found.lines
            ));
        } else {
            let entry = listed.iter().find(|entry| same_place(entry, found));
            violations.extend(compare(found, entry));
        }
    }
    for entry in &listed {
        if !large.iter().any(|found| same_place(entry, found)) {
            violations.push(format!("{FILE}: `{}` is within the rule or gone: delete the line", written(entry)));
        }
    }
    violations
}

fn find_large(tree: &Tree) -> Vec<Exception> {
    let mut large = Vec::new();
    for file in tree.files().iter().filter(|file| file.is("rs")) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            large.push(Exception { path: file.path.clone(), function: None, lines });
        }
        let long = functions::find(&file.text).into_iter().filter(|function| function.lines > FUNCTION_LINES);
        large.extend(long.map(|function| Exception {
            path: file.path.clone(),
            function: Some(function.name),
            lines: function.lines,
        }));
    }
    large
}

fn same_place(a: &Exception, b: &Exception) -> bool {
    a.path == b.path && a.function == b.function
}

fn compare(found: &Exception, entry: Option<&Exception>) -> Option<String> {
    let (path, lines) = (&found.path, found.lines);
    match (entry, &found.function) {
        (Some(entry), _) if lines < entry.lines => {
            Some(format!("{FILE}: `{}` has shrunk to {lines} lines: write that figure", written(entry)))
        }
        (Some(entry), _) if lines > entry.lines => {
            Some(format!("{path}: `{}` has grown to {lines} lines: exceptions only shrink; split it", written(entry)))
        }
        (Some(_), _) => None,
        (None, None) => {
            Some(format!("{path}: {lines} lines; few files need more than {FILE_LINES}: split it by what it does"))
        }
        (None, Some(name)) => Some(format!(
            "{path}: fn {name} has {lines} lines; {FUNCTION_LINES} fit on a screen: give its steps names of their own"
        )),
    }
}

fn written(entry: &Exception) -> String {
    match &entry.function {
        Some(name) => format!("function {} {name} {}", entry.path, entry.lines),
        None => format!("file {} {}", entry.path, entry.lines),
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE_LINES, FILE_LINES_MAX, FUNCTION_LINES, check};
    use crate::tidy::tree::Tree;

    fn file_of(lines: usize) -> Tree {
        Tree::of(&[("a/b.rs", &"//! x\n".repeat(lines))])
    }

    fn function_of(lines: usize) -> Tree {
        Tree::of(&[("a/b.rs", &format!("fn f() {{{}}}\n", "\n".repeat(lines - 1)))])
    }

    #[test]
    fn sizes_at_the_bound_pass() {
        assert!(check(&file_of(FILE_LINES), "").is_empty());
        assert!(check(&function_of(FUNCTION_LINES), "").is_empty());
    }

    #[test]
    fn one_line_more_fails_unless_it_is_listed() {
        let file = file_of(FILE_LINES + 1);
        assert_eq!(check(&file, "").len(), 1);
        assert!(check(&file, "file a/b.rs 351").is_empty());
        let function = function_of(FUNCTION_LINES + 1);
        assert_eq!(check(&function, "").len(), 1);
        assert!(check(&function, "function a/b.rs f 71").is_empty());
    }

    #[test]
    fn the_end_has_no_exception() {
        let violations = check(&file_of(FILE_LINES_MAX + 1), "file a/b.rs 601");
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].contains("601 lines; 600 is the end"), "{violations:?}");
    }

    #[test]
    fn the_ratchet_turns_one_way() {
        let file = file_of(FILE_LINES + 10);
        assert!(check(&file, "file a/b.rs 359")[0].contains("has grown to 360"));
        assert!(check(&file, "file a/b.rs 361")[0].contains("has shrunk to 360"));
        assert!(check(&file_of(3), "file a/b.rs 360")[0].contains("delete the line"));
        assert!(check(&Tree::default(), "function gone.rs f 80")[0].contains("delete the line"));
    }
}
