//! The chain: each entry has a number, the hash of the entry before, and its own. Pure.

use serde::{Deserialize, Serialize};

use crate::revisions::Content;

/// The longest text of an entry, in bytes; what is longer is cut.
const TEXT_BYTES_MAX: usize = 1024;
/// An entry that says that the log was found other than it was left. No verification passes over it.
pub(super) const MISMATCH: &str = "audit-mismatch";

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Happening {
    /// Who: the name of a token.
    pub(crate) by: String,
    /// From where.
    pub(crate) from: String,
    /// What: `deploy`, `rollback`.
    pub(crate) action: String,
    /// Of which app, if of one.
    pub(crate) app: String,
    /// What exactly.
    pub(crate) detail: String,
    /// What came of it: `begun`, `done`, `failed`, `denied`.
    pub(crate) result: String,
}

/// An entry of the log, in the order in which it is hashed and written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Counts from 1, without gaps.
    pub number: u64,
    /// When, in the form of RFC 3339.
    pub time: String,
    /// Who.
    pub by: String,
    /// From where.
    pub from: String,
    /// What.
    pub action: String,
    /// Of which app; empty if of none.
    pub app: String,
    /// What exactly.
    pub detail: String,
    /// What came of it.
    pub result: String,
    /// The hash of the entry before; of the first one, that of nothing.
    pub previous: Content,
    /// The SHA-256 of all of the above as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Content>,
}

/// Where a log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("entry {number}: {why}")]
pub struct Flaw {
    /// The entry that should be there.
    pub number: u64,
    /// What is wrong.
    pub why: String,
}

/// The end of a log: what the next entry follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// Entries so far.
    pub(super) count: u64,
    /// Of the last one.
    pub(super) hash: Content,
}

impl Default for Head {
    fn default() -> Self {
        Self { count: 0, hash: Content::of(b"") }
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

fn hashed(entry: &Entry) -> Option<Content> {
    let bare = Entry { hash: None, ..entry.clone() };
    serde_json::to_vec(&bare).ok().map(|text| Content::of(&text))
}

impl Head {
    /// The next entry and its line.
    pub(super) fn next(&self, time: String, happening: Happening) -> Option<(Self, String)> {
        let Happening { by, from, action, app, detail, result } = happening;
        let [by, from, action, app, detail, result] = [by, from, action, app, detail, result].map(cut);
        let (number, previous) = (self.count + 1, self.hash.clone());
        let bare = Entry { number, time, by, from, action, app, detail, result, previous, hash: None };
        let hash = hashed(&bare)?;
        let line = serde_json::to_string(&Entry { hash: Some(hash.clone()), ..bare }).ok()?;
        Some((Self { count: number, hash }, line + "\n"))
    }

    /// The end after one more line, if the line is what must follow.
    pub(super) fn after(&self, line: &str) -> Result<Self, Flaw> {
        let number = self.count + 1;
        let flaw = |why: String| Flaw { number, why };
        let entry: Entry = serde_json::from_str(line).map_err(|error| flaw(format!("it is no entry: {error}")))?;
        if entry.number != number {
            return Err(flaw(format!("entry {} is in its place", entry.number)));
        }
        if entry.previous != self.hash {
            return Err(flaw("it follows another entry than the one before it".to_owned()));
        }
        let hash = entry.hash.clone().filter(|hash| hashed(&entry).as_ref() == Some(hash));
        let hash = hash.ok_or_else(|| flaw("it was changed: its hash is another".to_owned()))?;
        if serde_json::to_string(&entry).ok().as_deref() != Some(line) {
            return Err(flaw("it was changed: it is not written as the host writes it".to_owned()));
        }
        if entry.action == MISMATCH {
            return Err(flaw(format!("the host found the log changed when it started: {}", entry.detail)));
        }
        Ok(Self { count: number, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::{Happening, Head};

    fn log(entries: u64) -> Vec<String> {
        let mut head = Head::default();
        let mut lines = Vec::new();
        for n in 0..entries {
            let happening = Happening { by: "ci".to_owned(), detail: format!("number {n}"), ..Happening::default() };
            let (next, line) = head.next("2026-01-01T00:00:00Z".to_owned(), happening).expect("an entry");
            (head, lines) = (next, [lines, vec![line.trim_end().to_owned()]].concat());
        }
        lines
    }

    fn check(lines: &[String]) -> Result<u64, u64> {
        let end = lines.iter().try_fold(Head::default(), |head, line| head.after(line));
        end.map(|head| head.count).map_err(|flaw| flaw.number)
    }

    #[test]
    fn what_was_written_is_whole() {
        assert_eq!(check(&log(5)), Ok(5));
    }

    #[test]
    fn every_edit_of_every_byte_is_found() {
        let lines = log(3);
        for at in 0..lines[1].len() {
            for other in [b'0', b'z', b' '] {
                let mut bytes = lines[1].clone().into_bytes();
                if bytes[at] == other {
                    continue;
                }
                bytes[at] = other;
                let mut edited = lines.clone();
                edited[1] = String::from_utf8(bytes).expect("ASCII");
                assert_eq!(check(&edited), Err(2), "byte {at} is {:?}", char::from(other));
            }
        }
    }

    #[test]
    fn gaps_swaps_and_insertions_are_found() {
        let lines = log(4);
        let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat();
        assert_eq!(check(&without(0)), Err(1));
        assert_eq!(check(&without(2)), Err(3));
        let mut swapped = lines.clone();
        swapped.swap(1, 2);
        assert_eq!(check(&swapped), Err(2));
        assert_eq!(check(&[&lines[..2], &lines[1..]].concat()), Err(3));
        // An entry of another log with the right number.
        let other = Head::default().next("2027".to_owned(), Happening::default()).expect("an entry").1;
        assert_eq!(check(&[&[other.trim_end().to_owned()], &lines[1..]].concat()), Err(2));
    }

    #[test]
    fn long_texts_are_cut() {
        let happening = Happening { detail: "ü".repeat(5000), ..Happening::default() };
        let (_, line) = Head::default().next(String::new(), happening).expect("an entry");
        assert!(line.len() < 2000);
        assert!(Head::default().after(line.trim_end()).is_ok());
    }
}
