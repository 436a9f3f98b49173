//! Collects problems while a file is read, and turns byte offsets into lines and columns at the end.

use std::cell::RefCell;
use std::ops::Range;

use crate::problem::{Invalid, Problem, Problems};

/// Whether a problem can be the mere consequence of another one in the file's syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// The text itself is wrong.
    Certain,
    /// Something is not there; perhaps because its line could not be read.
    MayFollow,
}

#[derive(Debug)]
struct Found {
    offset: usize,
    certainty: Certainty,
    message: String,
    remedy: String,
}

/// The problems of one file so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: RefCell<Vec<Found>>,
    syntax: RefCell<Vec<Found>>,
}

impl Report {
    /// Something is wrong here.
    pub(crate) fn wrong(&self, span: &Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(span, Certainty::Certain, message.into(), remedy.into());
    }

    /// A text is not what it should be; `path` names the key it stands at.
    pub(crate) fn invalid(&self, span: &Range<usize>, path: &str, invalid: Invalid) {
        self.wrong(span, format!("`{path}`: {}", invalid.message), invalid.remedy);
    }

    /// Something is missing, or names something that is not there.
    pub(crate) fn missing(&self, span: &Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(span, Certainty::MayFollow, message.into(), remedy.into());
    }

    /// The file is not TOML here.
    pub(crate) fn syntax(&self, span: &Range<usize>, message: impl Into<String>) {
        let message = message.into();
        let remedy = if message == "duplicate key" { "remove one of the two" } else { "correct the TOML here" };
        let remedy = remedy.to_owned();
        let found = Found { offset: span.start, certainty: Certainty::Certain, message, remedy };
        self.syntax.borrow_mut().push(found);
    }

    fn add(&self, span: &Range<usize>, certainty: Certainty, message: String, remedy: String) {
        self.found.borrow_mut().push(Found { offset: span.start, certainty, message, remedy });
    }

    /// What was found; nothing, if all is well. Where the syntax is broken, what may be a consequence of that is
    /// left out.
    pub(crate) fn into_problems(self, file: &str, text: &str) -> Problems {
        let syntax = self.syntax.into_inner();
        let mut found = self.found.into_inner();
        if !syntax.is_empty() {
            let broken_lines: Vec<usize> = syntax.iter().map(|broken| line_start(text, broken.offset)).collect();
            let header_broken = broken_lines
                .iter()
                .any(|start| text.get(*start..).is_some_and(|line| line.trim_start().starts_with('[')));
            found.retain(|other| {
                !header_broken
                    && other.certainty == Certainty::Certain
                    && !broken_lines.contains(&line_start(text, other.offset))
            });
            found.extend(syntax);
        }
        let mut problems: Vec<Problem> = found.into_iter().map(|found| locate(text, found)).collect();
        problems.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        problems.dedup();
        Problems { file: file.to_owned(), problems }
    }
}

fn line_start(text: &str, offset: usize) -> usize {
    before(text, offset).rfind('\n').map_or(0, |newline| newline + 1)
}

fn locate(text: &str, found: Found) -> Problem {
    let before = before(text, found.offset);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    let column = 1 + before.get(line_start..).map_or(0, |line| line.chars().count());
    Problem { line, column, message: found.message, remedy: found.remedy }
}

fn before(text: &str, offset: usize) -> &str {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
