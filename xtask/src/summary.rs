//! Adds up the `test result:` lines of many test programs, because cargo prints one for each and none for all.

use std::fmt;

/// What has been counted so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    passed: u64,
    failed: u64,
    line: Vec<u8>,
}

impl Summary {
    /// Take the next piece of output; pieces may end anywhere.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_of_output();
            } else if self.line.len() < LINE_BYTES_MAX {
                self.line.push(byte);
            }
        }
    }

    /// Count the last line, which may lack its line feed.
    pub(crate) fn end_of_output(&mut self) {
        let line = std::mem::take(&mut self.line);
        if let Some((passed, failed)) = counts(&String::from_utf8_lossy(&line)) {
            self.passed += passed;
            self.failed += failed;
        }
    }

    /// How many tests failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// A result line is short; what a test prints may not be.
const LINE_BYTES_MAX: usize = 512;

/// `test result: ok. 12 passed; 0 failed; …`
fn counts(line: &str) -> Option<(u64, u64)> {
    // A test that printed without a line feed stands before it on the same line.
    let (_, result) = line.split_once("test result: ")?;
    let (_, figures) = result.split_once(". ")?;
    let mut parts = figures.split("; ");
    let mut figure = |word: &str| parts.next()?.strip_suffix(word)?.trim().parse().ok();
    Some((figure("passed")?, figure("failed")?))
}

#[cfg(test)]
mod tests {
    use super::Summary;

    const OUTPUT: &str = "\
running 2 tests
test a ... ok
test b ... FAILED

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

said without a line feed: test result: ok. 41 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.50s";

    fn summarize(pieces: &[&[u8]]) -> String {
        let mut summary = Summary::default();
        for piece in pieces {
            summary.push(piece);
        }
        summary.end_of_output();
        summary.to_string()
    }

    #[test]
    fn results_of_all_programs_are_added_up() {
        assert_eq!(summarize(&[OUTPUT.as_bytes()]), "42 passed, 1 failed");
    }

    #[test]
    fn pieces_may_end_anywhere() {
        let bytes: Vec<&[u8]> = OUTPUT.as_bytes().chunks(1).collect();
        assert_eq!(summarize(&bytes), "42 passed, 1 failed");
    }

    #[test]
    fn talk_about_results_is_not_a_result() {
        assert_eq!(
            summarize(&[b"test result: none. many passed; 0 failed;\n1 passed; 2 failed"]),
            "0 passed, 0 failed"
        );
    }
}
