//! Segment files: making one, reading it back whole when the bus opens, and reading one event from it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hull_invocation::Event;

use super::codec;
use super::disk::{self, Disk};
use super::index::{Location, Segment};
use super::record::{self, Kind, Record};
use crate::error::BusError;

/// Before the first record: magic, version, CRC-32C of what follows, the sequence of the first event, the salt of the
/// records' checksums.
const HEAD_LENGTH: usize = 32;
const MAGIC: [u8; 8] = *b"HULL-BUS";
const VERSION: u32 = 2;
/// The extension of segment files.
pub(super) const EXTENSION: &str = "log";

/// A new segment in `directory` whose first event will be `base`.
pub(super) fn create(directory: &Path, base: u64) -> io::Result<Segment> {
    let mut head = Vec::with_capacity(HEAD_LENGTH);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    let salt = hull_clock::random_u64();
    let what_follows = [base.to_le_bytes(), salt.to_le_bytes()].concat();
    head.extend_from_slice(&crc32c::crc32c(&what_follows).to_le_bytes());
    head.extend_from_slice(&what_follows);
    let path = directory.join(format!("{base:020}.{EXTENSION}"));
    let file = disk::create_file(&path, &head)?;
    Ok(Segment::new(base, salt, path, Arc::new(file), HEAD_LENGTH as u64))
}

/// The segment files of a directory, oldest first.
pub(super) fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(EXTENSION) => paths.push(path),
            Some(disk::UNFINISHED) => fs::remove_file(&path)?,
            _ => {}
        }
    }
    paths.sort();
    Ok(paths)
}

/// What a segment file holds.
pub(super) struct Scan {
    /// The segment, still without entries; its length covers the good records.
    pub(super) segment: Segment,
    pub(super) events: Vec<Found>,
    /// Bytes after the last good record, which a crash left; only ever in the last segment.
    pub(super) torn: u64,
}

/// An event in a segment file.
pub(super) struct Found {
    pub(super) offset: u64,
    pub(super) record: Record,
}

/// Read a whole segment file and check every byte of it. In the last file of a stream a torn tail is told apart from
/// damage: a tail is torn if no later record says that it was on disk.
pub(super) fn scan(path: &Path, is_last: bool, body_max: usize) -> Result<Scan, BusError> {
    let damaged = |offset: usize, reason: &str| BusError::Corrupt {
        file: path.to_owned(),
        offset: offset as u64,
        reason: reason.to_owned(),
    };
    let unreadable = |error: io::Error| damaged(0, &format!("it cannot be read: {error}"));
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(unreadable)?;
    let bytes = Bytes::from(fs::read(path).map_err(unreadable)?);
    let (base, salt) = read_head(&bytes).map_err(|reason| damaged(0, reason))?;
    let (mut events, mut offset, mut torn) = (Vec::new(), HEAD_LENGTH, 0);
    while offset < bytes.len() {
        let rest = bytes.slice(offset..);
        let expected = base + events.len() as u64;
        let found = record::decode(&rest, salt, body_max).and_then(|record| {
            let in_order = record.header.kind == Kind::Checkpoint || record.header.sequence == expected;
            if in_order { Ok(record) } else { Err("a sequence is missing") }
        });
        match found {
            Ok(record) => {
                let length = record.length;
                if record.header.kind == Kind::Event {
                    events.push(Found { offset: offset as u64, record });
                }
                offset += length;
            }
            Err(reason) if !is_last || record::promises(&rest, salt, expected, body_max) => {
                return Err(damaged(offset, reason));
            }
            Err(_) => {
                torn = rest.len() as u64;
                break;
            }
        }
    }
    let segment = Segment::new(base, salt, path.to_owned(), Arc::new(file), bytes.len() as u64 - torn);
    Ok(Scan { segment, events, torn })
}

/// The first sequence, and the salt.
fn read_head(bytes: &Bytes) -> Result<(u64, u64), &'static str> {
    let head = bytes.first_chunk::<HEAD_LENGTH>().ok_or("the file's head is missing")?;
    if head[..8] != MAGIC {
        return Err("it is not a segment of Hull's bus");
    }
    if head[8..12] != VERSION.to_le_bytes() {
        return Err("it was written by another version of Hull");
    }
    if head[12..16] != crc32c::crc32c(&head[16..]).to_le_bytes() {
        return Err("the checksum of the file's head does not fit");
    }
    let number = |at: usize| {
        let bytes = head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or("the file's head is missing")
    };
    Ok((number(16)?, number(24)?))
}

/// Read one event back. Blocks.
pub(super) fn read(location: &Location, sequence: u64, body_max: usize) -> Result<(u64, Event), BusError> {
    let damaged = |reason: &str| BusError::Corrupt {
        file: location.path.clone(),
        offset: location.offset,
        reason: reason.to_owned(),
    };
    let mut bytes = vec![0; location.length.min(record::HEADER_LENGTH * 2 + body_max)];
    location
        .file
        .read_exact_at(&mut bytes, location.offset)
        .map_err(|error| damaged(&format!("it cannot be read: {error}")))?;
    let record = record::decode(&Bytes::from(bytes), location.salt, body_max).map_err(damaged)?;
    if record.header.sequence != sequence {
        return Err(damaged("another event stands here"));
    }
    let event = codec::decode(&record.body).ok_or_else(|| damaged("not an event"))?;
    Ok((record.header.time_ms, event))
}

/// After a failed sync nobody knows what the kernel has kept: cut the file to what was promised, and read that back
/// from the disk itself, as far as the kernel lets us. An error means that it is still not so.
pub(super) fn verify(disk: &dyn Disk, segment: &Segment, body_max: usize) -> Result<(), String> {
    disk.cut(&segment.file, segment.length).map_err(|error| format!("cutting {}: {error}", segment.path.display()))?;
    disk.sync(&segment.file).map_err(|error| format!("syncing {}: {error}", segment.path.display()))?;
    // Only a hint: where it is not taken, the check reads the page cache, which is what readers see too.
    let _ = rustix::fs::fadvise(&*segment.file, 0, None, rustix::fs::Advice::DontNeed);
    let scan = scan(&segment.path, false, body_max).map_err(|error| error.to_string())?;
    if scan.segment.base + scan.events.len() as u64 == segment.end() {
        Ok(())
    } else {
        Err(format!("{} lost events in a failed sync", segment.path.display()))
    }
}
