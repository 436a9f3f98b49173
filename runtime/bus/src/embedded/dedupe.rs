//! Which keys the stream holds, as hashes: eight bytes a key instead of its text. A hit is therefore only a hint, and
//! whoever asks compares with the event itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hull_invocation::Event;

/// From a key's hash to the sequence of its event.
#[derive(Default)]
pub(super) struct Dedupe {
    /// Random for each opening, so that nobody outside can choose ids whose hashes collide.
    hasher: RandomState,
    sequences: HashMap<u64, u64>,
}

impl Dedupe {
    /// A key's hash.
    pub(super) fn key(&self, source: &str, id: &str) -> u64 {
        self.hasher.hash_one((source, id))
    }

    /// The event that may have this key.
    pub(super) fn find(&self, key: u64) -> Option<u64> {
        self.sequences.get(&key).copied()
    }

    /// The stream holds an event of this key now.
    pub(super) fn enter(&mut self, key: u64, sequence: u64) {
        self.sequences.insert(key, sequence);
    }

    /// The stream no longer holds an event of this key at or before `last`.
    pub(super) fn remove(&mut self, key: u64, last: u64) {
        if self.sequences.get(&key).is_some_and(|sequence| *sequence <= last) {
            self.sequences.remove(&key);
        }
    }
}

/// Whether two events of one key are one event published twice. Headers do not count: published again, an event has
/// another trace.
pub(super) fn same_content(one: &Event, other: &Event) -> bool {
    one.subject == other.subject && one.payload == other.payload
}
