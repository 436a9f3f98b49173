//! Patterns of texts. How large one is compiled is found out when it is read, so that both the memory of a contract and
//! the cost of a match are known before a text comes.

use regex::{Regex, RegexBuilder};

use super::check::cut;

/// Sizes of compiled patterns. A class of the letters of all scripts, such as `\w`, takes some 50 KiB.
const SIZES_KIB: [usize; 3] = [4, 32, 256];
/// Bytes of text that a pattern of the smallest size passes in one step.
const TEXT_STEP_BYTES: usize = 8;

/// A pattern, compiled.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    size_kib: usize,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let built = |size_kib: usize| {
            let regex = RegexBuilder::new(text).size_limit(size_kib << 10).build().ok()?;
            Some(Self { regex, size_kib })
        };
        SIZES_KIB.into_iter().find_map(built).ok_or_else(|| {
            let shown = cut(text);
            format!(
                "the pattern {shown:?} cannot be matched within a bound: write it without look-around and back-references"
            )
        })
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// What it takes in memory, at the most.
    pub(super) fn size_kib(&self) -> usize {
        self.size_kib
    }

    /// Steps to match a text.
    pub(super) fn steps(&self, text: &str) -> u64 {
        let [smallest, ..] = SIZES_KIB;
        ((text.len() / TEXT_STEP_BYTES + 1) * (self.size_kib / smallest)) as u64
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}
