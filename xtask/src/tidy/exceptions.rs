//! The list of what is larger than the style allows. It is a ratchet: a figure may only fall, and a line that is
//! not needed any more has to go.

/// Where the list is.
pub(super) const FILE: &str = "xtask/tidy-exceptions.txt";

/// What an entry excuses: a file of so many lines, or a function in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    /// The file, below the root.
    pub(super) path: String,
    /// The function's name, or none for the file itself.
    pub(super) function: Option<String>,
    /// How many lines it has.
    pub(super) lines: usize,
}

/// Read the list; the second part is what is wrong with it.
pub(super) fn parse(text: &str) -> (Vec<Exception>, Vec<String>) {
    let mut exceptions = Vec::new();
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_line(line) {
            Some(exception) => exceptions.push(exception),
            None => violations.push(format!(
                "{FILE}:{}: write `file PATH LINES` or `function PATH NAME LINES`, not `{line}`",
                index + 1
            )),
        }
    }
    (exceptions, violations)
}

fn parse_line(line: &str) -> Option<Exception> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (path, function, lines) = match words.as_slice() {
        ["file", path, lines] => (path, None, lines),
        ["function", path, name, lines] => (path, Some((*name).to_owned()), lines),
        _ => return None,
    };
    Some(Exception { path: (*path).to_owned(), function, lines: lines.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::{Exception, parse};

    #[test]
    fn both_kinds_are_read() {
        let (exceptions, violations) = parse("# why\n\nfile a/b.rs 400\nfunction a/b.rs run 80\n");
        let exception = |function: Option<&str>, lines| Exception {
            path: "a/b.rs".to_owned(),
            function: function.map(str::to_owned),
            lines,
        };
        assert_eq!(exceptions, [exception(None, 400), exception(Some("run"), 80)]);
        assert!(violations.is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        for bad in ["a/b.rs 400", "file a/b.rs", "file a/b.rs many", "function a/b.rs 80"] {
            assert_eq!(parse(bad).1.len(), 1, "{bad}");
        }
    }
}
