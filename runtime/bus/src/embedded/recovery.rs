//! Opening a stream's files after whatever happened to them: what was promised is there or is named as damaged; what
//! was not promised is cut off.

use std::fs;
use std::io;
use std::path::Path;

use tracing::warn;

use super::codec;
use super::dedupe::Dedupe;
use super::disk::{self, Disk};
use super::index::{Index, NewEntry};
use super::journal::{self, Loaded};
use super::segment;
use crate::error::BusError;

/// A stream's files, read back.
pub(super) struct Recovered {
    pub(super) index: Index,
    pub(super) dedupe: Dedupe,
    pub(super) consumers: Vec<Loaded>,
    /// The time of the last event, below which no later one may be stamped.
    pub(super) last_ms: u64,
}

/// Where a stream keeps its segments, below its directory.
pub(super) const LOG: &str = "log";
/// Where it keeps its consumers' places.
pub(super) const CONSUMERS: &str = "consumers";

/// Read a stream's directory, or make it. Blocks for as long as it takes to read every event once.
pub(super) fn open(app: &str, directory: &Path, disk: &dyn Disk, body_max: usize) -> Result<Recovered, BusError> {
    let unavailable = |what: &str, error: io::Error| BusError::Unavailable {
        app: app.to_owned(),
        reason: format!("{what} {}: {error}", directory.display()),
    };
    let (log, places) = (directory.join(LOG), directory.join(CONSUMERS));
    for needed in [&log, &places] {
        disk::create_directory(needed).map_err(|error| unavailable("making directories in", error))?;
    }
    let consumers = journal::load_all(&places)?;
    let paths = segment::list(&log).map_err(|error| unavailable("reading", error))?;
    let (mut index, mut dedupe, mut last_ms) = (Index::default(), Dedupe::default(), 0);
    for (place, path) in paths.iter().enumerate() {
        let is_last = place + 1 == paths.len();
        let scan = segment::scan(path, is_last, body_max)?;
        if scan.segment.base <= index.last() {
            return Err(BusError::Corrupt {
                file: path.clone(),
                offset: 0,
                reason: "its events overlap those of the file before it".to_owned(),
            });
        }
        if scan.torn > 0 {
            cut_torn_tail(app, path, &scan, disk).map_err(|error| unavailable("cutting a torn tail in", error))?;
        }
        let mut segment = scan.segment;
        let end = segment.length;
        segment.length = scan.events.first().map_or(end, |first| first.offset);
        index.roll(segment);
        let offsets: Vec<u64> = scan.events.iter().skip(1).map(|found| found.offset).chain([end]).collect();
        for (found, next_offset) in scan.events.into_iter().zip(offsets) {
            let header = found.record.header;
            let (publisher, id, subject) = codec::glance(&found.record.body).ok_or_else(|| BusError::Corrupt {
                file: path.clone(),
                offset: found.offset,
                reason: "not an event".to_owned(),
            })?;
            let key = dedupe.key(publisher, id);
            if !id.is_empty() {
                dedupe.enter(key, header.sequence);
            }
            last_ms = last_ms.max(header.time_ms);
            let entry = NewEntry { key, offset: found.offset, publisher, subject, time_ms: header.time_ms };
            index.enter(entry, next_offset);
        }
    }
    // A consumer may know of events that a power cut took from an unsynced log: their numbers are not given again.
    let known = consumers.iter().map(|consumer| consumer.settled.last()).max().unwrap_or(0).max(index.last());
    if known > index.last() || index.segments().next().is_none() {
        let segment = segment::create(&log, known + 1).map_err(|error| unavailable("making a segment in", error))?;
        index.roll(segment);
    }
    Ok(Recovered { index, dedupe, consumers, last_ms })
}

fn cut_torn_tail(app: &str, path: &Path, scan: &segment::Scan, disk: &dyn Disk) -> io::Result<()> {
    warn!(
        app,
        file = %path.display(),
        offset = scan.segment.length,
        bytes = scan.torn,
        "cut off the torn end of the bus file: a crash interrupted a write that nobody was told had succeeded"
    );
    disk.cut(&scan.segment.file, scan.segment.length)?;
    disk.sync(&scan.segment.file)
}

/// The apps that have a stream below the bus's directory.
pub(super) fn list_streams(directory: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.join(LOG).is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
