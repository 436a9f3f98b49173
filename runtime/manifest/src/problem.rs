//! What is wrong with a manifest. Every problem names its line and what would be right, and all problems of a
//! file travel together, because fixing a file one run at a time is what makes configuration tiresome.

use std::fmt;

/// How many problems of one file are told; the rest is counted.
pub const PROBLEMS_SHOWN_MAX: usize = 100;

/// One thing that is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub remedy: String,
}

/// All that is wrong with a file, by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file, as the caller named it.
    pub file: String,
    /// Never empty, ordered by line and column.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(PROBLEMS_SHOWN_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            let Problem { line, column, message, remedy } = problem;
            write!(f, "{separator}{}:{line}:{column}: {message}\n    {remedy}", self.file)?;
        }
        match self.problems.len().checked_sub(PROBLEMS_SHOWN_MAX) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n{}: and {more} more", self.file),
        }
    }
}

impl std::error::Error for Problems {}

/// A text that cannot be what it should be: a size, a duration, a name, a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct Invalid {
    /// What is wrong with it.
    pub message: String,
    /// What would be right.
    pub remedy: String,
}

impl Invalid {
    pub(crate) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}
