//! How much of a stream each publisher holds, so that one that floods it fills its own share and not the others': as on
//! the embedded bus a publisher may hold as much as is free.
//!
//! The server does not count by publisher, so this host counts what goes through it, from its start on. What was there
//! before, or came through others, only makes the free part smaller: however that is, some of it is always left.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long what the server said of a stream is good for.
const FRESH: Duration = Duration::from_secs(1);
/// Publishes of one publisher are counted together up to this many sequences.
const CHUNK_LENGTH: u64 = 256;

/// What the server says of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) bytes: u64,
    /// None where only the server's own bound counts.
    pub(super) bytes_max: Option<u64>,
    pub(super) first_sequence: u64,
}

/// One stream's publishers.
#[derive(Debug, Default)]
pub(super) struct Shares {
    size: Option<(Size, Instant)>,
    /// What this host has added since the server was asked.
    added: u64,
    held: HashMap<String, Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: u64,
    chunks: VecDeque<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    first: u64,
    last: u64,
    bytes: u64,
}

impl Shares {
    /// Whether the server has to be asked before `has_room`.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        self.size.is_none_or(|(_, at)| now >= at + FRESH)
    }

    /// The server has said so.
    pub(super) fn learn(&mut self, size: Size, now: Instant) {
        self.size = Some((size, now));
        self.added = 0;
        self.held.retain(|_, held| {
            while held.chunks.front().is_some_and(|chunk| chunk.last < size.first_sequence) {
                held.bytes -= held.chunks.pop_front().map_or(0, |chunk| chunk.bytes);
            }
            !held.chunks.is_empty()
        });
    }

    /// Whether a publisher may add so many bytes: then at least as much as it holds is left for another.
    pub(super) fn has_room(&self, publisher: &str, more: u64) -> bool {
        let Some((Size { bytes, bytes_max: Some(bytes_max), .. }, _)) = self.size else { return true };
        let held = self.held.get(publisher).map_or(0, |held| held.bytes);
        bytes + self.added + held + more * 2 <= bytes_max
    }

    /// A publisher has added so many bytes, at this place.
    pub(super) fn add(&mut self, publisher: &str, sequence: u64, more: u64) {
        self.added += more;
        if !self.held.contains_key(publisher) {
            self.held.insert(publisher.to_owned(), Held::default());
        }
        let Some(held) = self.held.get_mut(publisher) else { return };
        held.bytes += more;
        match held.chunks.back_mut() {
            Some(chunk) if sequence >= chunk.first && sequence - chunk.first < CHUNK_LENGTH => {
                chunk.last = chunk.last.max(sequence);
                chunk.bytes += more;
            }
            _ => held.chunks.push_back(Chunk { first: sequence, last: sequence, bytes: more }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FRESH, Shares, Size};

    const MAX: u64 = 10_000;

    fn size(bytes: u64, first_sequence: u64) -> Size {
        Size { bytes, bytes_max: Some(MAX), first_sequence }
    }

    /// Publish until it is refused; how many bytes that were.
    fn fill(shares: &mut Shares, publisher: &str, from: u64) -> u64 {
        let mut sequence = from;
        while shares.has_room(publisher, 10) {
            shares.add(publisher, sequence, 10);
            sequence += 1;
        }
        (sequence - from) * 10
    }

    #[test]
    fn one_has_half_and_the_next_a_part_of_what_is_left() {
        let now = hull_clock::now();
        let mut shares = Shares::default();
        assert!(shares.is_stale(now) && shares.has_room("a", MAX));
        shares.learn(size(0, 1), now);
        assert_eq!(fill(&mut shares, "a", 1), MAX / 2);
        assert_eq!(fill(&mut shares, "b", 1000), MAX / 4);
        assert!(shares.has_room("c", MAX / 8), "and there is room for another");
        assert!(!shares.is_stale(now) && shares.is_stale(now + FRESH));
    }

    #[test]
    fn what_the_stream_has_dropped_counts_no_more() {
        let now = hull_clock::now();
        let mut shares = Shares::default();
        shares.learn(size(0, 1), now);
        fill(&mut shares, "a", 1);
        shares.learn(size(MAX / 2, 1), now);
        assert!(!shares.has_room("a", 10));
        // 500 events in chunks of 256: the first chunk is gone.
        shares.learn(size(MAX / 4, 257), now);
        assert!(shares.has_room("a", 10));
        shares.learn(size(0, 501), now);
        assert!(shares.held.is_empty());
        let unbounded = Size { bytes_max: None, ..size(0, 501) };
        shares.learn(unbounded, now);
        assert!(shares.has_room("a", u64::MAX / 4));
    }
}
