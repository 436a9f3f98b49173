//! Which event is where: for each segment the offsets, subjects and keys of its events, and how much of it is whose. In
//! memory, some fifty bytes an event, and bounded because the stream is.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::shares::{Amount, Shares};

/// Where every event of a stream is.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: VecDeque<Segment>,
    subjects: Subjects,
    shares: Shares,
    bytes: u64,
}

/// One file of the stream: its events have consecutive sequences from `base`.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base: u64,
    /// What its records' checksums begin with.
    pub(super) salt: u64,
    pub(super) path: PathBuf,
    pub(super) file: Arc<File>,
    /// Up to the end of its last good record.
    pub(super) length: u64,
    /// When its last event came.
    pub(super) last_ms: u64,
    entries: Vec<Entry>,
    shares: Shares,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    offset: u32,
    subject: u32,
}

/// An event that is to be entered.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewEntry<'a> {
    pub(super) key: u64,
    pub(super) offset: u64,
    pub(super) publisher: &'a str,
    pub(super) subject: &'a str,
    pub(super) time_ms: u64,
}

/// Where to read an event.
#[derive(Debug, Clone)]
pub(super) struct Location {
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    pub(super) salt: u64,
    pub(super) offset: u64,
    /// How many bytes there are at most.
    pub(super) length: usize,
}

impl Segment {
    /// A segment without events whose file holds `length` bytes.
    pub(super) fn new(base: u64, salt: u64, path: PathBuf, file: Arc<File>, length: u64) -> Self {
        Self { base, salt, path, file, length, last_ms: 0, entries: Vec::new(), shares: Shares::default() }
    }

    /// The sequence after its last.
    pub(super) fn end(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    fn entry(&self, sequence: u64) -> Option<(usize, Entry)> {
        let place = usize::try_from(sequence.checked_sub(self.base)?).ok()?;
        self.entries.get(place).map(|entry| (place, *entry))
    }
}

impl Index {
    /// Add a segment behind the others; its events come later than theirs.
    pub(super) fn roll(&mut self, segment: Segment) {
        self.bytes += segment.length;
        self.segments.push_back(segment);
    }

    /// Enter the next event of the last segment, whose file is `length` bytes long with it.
    pub(super) fn enter(&mut self, entry: NewEntry<'_>, length: u64) {
        let Some(segment) = self.segments.back_mut() else { return };
        let subject = self.subjects.id(entry.subject);
        segment.entries.push(Entry { key: entry.key, offset: entry.offset as u32, subject });
        segment.last_ms = segment.last_ms.max(entry.time_ms);
        let amount = Amount { bytes: length.saturating_sub(segment.length), events: 1 };
        segment.length = length;
        segment.shares.add(entry.publisher, amount);
        self.shares.add(entry.publisher, amount);
        self.bytes += amount.bytes;
    }

    /// Forget the first segment, and say which keys it held. The last one stays: it is being written.
    pub(super) fn drop_first(&mut self) -> Option<(Segment, Vec<u64>)> {
        if self.segments.len() < 2 {
            return None;
        }
        let segment = self.segments.pop_front()?;
        for entry in &segment.entries {
            self.subjects.release(entry.subject);
        }
        self.shares.remove(&segment.shares);
        self.bytes -= segment.length;
        let keys = segment.entries.iter().map(|entry| entry.key).collect();
        Some((segment, keys))
    }

    /// Every segment, in order.
    pub(super) fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments.iter()
    }

    /// The subject of an event, if the stream holds it.
    pub(super) fn subject(&self, sequence: u64) -> Option<&str> {
        let (_, entry) = self.segment_of(sequence)?.entry(sequence)?;
        self.subjects.name(entry.subject)
    }

    /// Where an event is, if the stream holds it.
    pub(super) fn locate(&self, sequence: u64) -> Option<Location> {
        let segment = self.segment_of(sequence)?;
        let (place, entry) = segment.entry(sequence)?;
        let end = segment.entries.get(place + 1).map_or(segment.length, |next| u64::from(next.offset));
        Some(Location {
            file: Arc::clone(&segment.file),
            path: segment.path.clone(),
            salt: segment.salt,
            offset: u64::from(entry.offset),
            length: end.saturating_sub(u64::from(entry.offset)) as usize,
        })
    }

    /// The first sequence that the stream holds or will give.
    pub(super) fn first(&self) -> u64 {
        self.segments.front().map_or(1, |segment| segment.base)
    }

    /// The last sequence given.
    pub(super) fn last(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.end() - 1)
    }

    /// How many events the stream holds.
    pub(super) fn events(&self) -> u64 {
        self.shares.total().events
    }

    /// How many bytes its files take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a publisher may hold so much more in a stream of this size, beside what is about to be written: as much
    /// as is free then.
    pub(super) fn has_room(&self, size: Amount, written: &Shares, publisher: &str, more: Amount) -> bool {
        let mut taken = Amount { bytes: self.bytes, events: self.events() };
        for amount in [written.total(), more, self.shares.of(publisher), written.of(publisher), more] {
            taken += amount;
        }
        taken.bytes <= size.bytes && taken.events <= size.events
    }

    fn segment_of(&self, sequence: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.base <= sequence);
        self.segments.get(after.checked_sub(1)?)
    }
}

/// Subjects by number, each kept as long as an event has it.
#[derive(Debug, Default)]
struct Subjects {
    ids: HashMap<Arc<str>, u32>,
    names: Vec<(Option<Arc<str>>, u32)>,
    free: Vec<u32>,
}

impl Subjects {
    fn id(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name).copied() {
            if let Some((_, uses)) = self.names.get_mut(id as usize) {
                *uses += 1;
            }
            return id;
        }
        let name: Arc<str> = name.into();
        let slot = (Some(Arc::clone(&name)), 1);
        let id = if let Some(id) = self.free.pop() {
            if let Some(place) = self.names.get_mut(id as usize) {
                *place = slot;
            }
            id
        } else {
            self.names.push(slot);
            self.names.len() as u32 - 1
        };
        self.ids.insert(name, id);
        id
    }

    fn name(&self, id: u32) -> Option<&str> {
        self.names.get(id as usize)?.0.as_deref()
    }

    fn release(&mut self, id: u32) {
        let Some((name, uses)) = self.names.get_mut(id as usize) else { return };
        *uses -= 1;
        if *uses == 0
            && let Some(name) = name.take()
        {
            self.ids.remove(&name);
            self.free.push(id);
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
