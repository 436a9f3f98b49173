//! How much of a stream each publisher holds, so that one that floods it fills its own share and not the others'.
//!
//! A publisher may hold as much as is free. One alone can fill half of the stream, two a third each, and however many
//! there are, each can have as much as any other and as much again is left for one more. No share has to be set aside
//! for publishers that nobody knows yet, and looking at two sums is enough to decide.

use std::collections::HashMap;
use std::ops::{AddAssign, SubAssign};

use super::record;

/// Events, and what they take in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) bytes: u64,
    pub(super) events: u64,
}

impl Amount {
    /// One event whose encoded form is this long.
    pub(super) fn of_body(length: usize) -> Self {
        Self { bytes: (record::HEADER_LENGTH + length) as u64, events: 1 }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.events += other.events;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        self.bytes -= other.bytes;
        self.events -= other.events;
    }
}

/// What each publisher holds of a stream, of a segment, or of a batch that is to be written.
#[derive(Debug, Default)]
pub(super) struct Shares {
    of: HashMap<String, Amount>,
    total: Amount,
}

impl Shares {
    /// What this publisher holds.
    pub(super) fn of(&self, publisher: &str) -> Amount {
        self.of.get(publisher).copied().unwrap_or_default()
    }

    /// What all of them hold.
    pub(super) fn total(&self) -> Amount {
        self.total
    }

    /// Everybody who holds something.
    pub(super) fn publishers(&self) -> impl Iterator<Item = &str> {
        self.of.keys().map(String::as_str)
    }

    /// This publisher holds so much more.
    pub(super) fn add(&mut self, publisher: &str, amount: Amount) {
        self.total += amount;
        match self.of.get_mut(publisher) {
            Some(held) => *held += amount,
            None => drop(self.of.insert(publisher.to_owned(), amount)),
        }
    }

    /// Take out what was added here as well as there. Whoever holds nothing then is forgotten.
    pub(super) fn remove(&mut self, part: &Self) {
        self.total -= part.total;
        for (publisher, amount) in &part.of {
            let Some(held) = self.of.get_mut(publisher) else { continue };
            *held -= *amount;
            if *held == Amount::default() {
                self.of.remove(publisher);
            }
        }
    }
}
