//! A consumer's place on disk: a small file to which its whole state is appended now and then. The last whole entry
//! counts; one that a crash tore only costs redeliveries.
//!
//! Layout, little-endian: magic (8), version (4), lengths of component and pattern (2 + 2), both texts, CRC-32C of
//! all that (4); then entries: length (4), CRC-32C (4), floor (8), pairs of first and last (8 + 8).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::disk;
use super::ranges::Ranges;
use crate::error::BusError;
use crate::names::consumer_name;

const MAGIC: [u8; 8] = *b"HULL-CUR";
const VERSION: u32 = 1;
const EXTENSION: &str = "place";
/// Beyond this the file is written anew with its last entry alone.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A consumer's file, open for appending.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    head: Vec<u8>,
}

/// A consumer that was found on disk.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) component: String,
    pub(super) pattern: String,
    pub(super) settled: Ranges,
    pub(super) journal: Journal,
}

impl Journal {
    /// A new consumer's file with its first entry, lasting when this returns. Blocks.
    pub(super) fn create(directory: &Path, component: &str, pattern: &str, settled: &Ranges) -> io::Result<Self> {
        let path = directory.join(format!("{}.{EXTENSION}", consumer_name(component, pattern)));
        let head = head(component, pattern);
        let (file, length) = write_whole(&path, &head, settled)?;
        Ok(Self { path, file, length, head })
    }

    /// Append the state. It is there after a crash of the process; `sync` makes it last through a power cut. Blocks.
    pub(super) fn append(&mut self, settled: &Ranges) -> io::Result<()> {
        if self.length > FILE_BYTES_MAX {
            (self.file, self.length) = write_whole(&self.path, &self.head, settled)?;
            return Ok(());
        }
        let entry = entry(settled);
        self.file.write_all_at(&entry, self.length)?;
        self.length += entry.len() as u64;
        Ok(())
    }

    /// Make what was appended last. Blocks.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Forget the consumer. Blocks.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.path.parent().map_or(Ok(()), disk::sync_directory),
        }
    }
}

/// Every consumer of a directory. Blocks.
pub(super) fn load_all(directory: &Path) -> Result<Vec<Loaded>, BusError> {
    let unreadable = |path: &Path, error: io::Error| BusError::Corrupt {
        file: path.to_owned(),
        offset: 0,
        reason: format!("it cannot be read: {error}"),
    };
    let mut loaded = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, error))? {
        let path = entry.map_err(|error| unreadable(directory, error))?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(EXTENSION) => loaded.push(load(&path)?),
            Some(disk::UNFINISHED) => fs::remove_file(&path).map_err(|error| unreadable(&path, error))?,
            _ => {}
        }
    }
    Ok(loaded)
}

fn load(path: &Path) -> Result<Loaded, BusError> {
    let damaged = |reason: String| BusError::Corrupt { file: path.to_owned(), offset: 0, reason };
    let bytes = fs::read(path).map_err(|error| damaged(format!("it cannot be read: {error}")))?;
    let (component, pattern, mut at) =
        parse_head(&bytes).ok_or_else(|| damaged("its head is not that of a consumer's place".to_owned()))?;
    let head = bytes.get(..at).unwrap_or_default().to_vec();
    let mut settled = None;
    while let Some((ranges, length)) = bytes.get(at..).and_then(parse_entry) {
        settled = Some(ranges);
        at += length;
    }
    let settled = settled.ok_or_else(|| damaged("its first entry is damaged".to_owned()))?;
    if at < bytes.len() {
        warn!(file = %path.display(), offset = at, "a consumer's last place was torn by a crash: events come again");
    }
    let file = OpenOptions::new().read(true).write(true).open(path).and_then(|file| {
        file.set_len(at as u64)?;
        Ok(file)
    });
    let file = file.map_err(|error| damaged(format!("it cannot be opened: {error}")))?;
    let journal = Journal { path: path.to_owned(), file, length: at as u64, head };
    Ok(Loaded { component, pattern, settled, journal })
}

fn write_whole(path: &Path, head: &[u8], settled: &Ranges) -> io::Result<(File, u64)> {
    let mut bytes = head.to_vec();
    bytes.extend(entry(settled));
    let file = disk::create_file(path, &bytes)?;
    Ok((file, bytes.len() as u64))
}

fn head(component: &str, pattern: &str) -> Vec<u8> {
    let mut head = Vec::with_capacity(24 + component.len() + pattern.len());
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&(component.len() as u16).to_le_bytes());
    head.extend_from_slice(&(pattern.len() as u16).to_le_bytes());
    head.extend_from_slice(component.as_bytes());
    head.extend_from_slice(pattern.as_bytes());
    head.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());
    head
}

fn parse_head(bytes: &[u8]) -> Option<(String, String, usize)> {
    let fixed = bytes.first_chunk::<16>()?;
    if fixed[..8] != MAGIC || fixed[8..12] != VERSION.to_le_bytes() {
        return None;
    }
    let component_end = 16 + usize::from(u16::from_le_bytes([fixed[12], fixed[13]]));
    let pattern_end = component_end + usize::from(u16::from_le_bytes([fixed[14], fixed[15]]));
    let end = pattern_end + 4;
    if bytes.get(pattern_end..end)? != crc32c::crc32c(bytes.get(..pattern_end)?).to_le_bytes() {
        return None;
    }
    let component = std::str::from_utf8(bytes.get(16..component_end)?).ok()?;
    let pattern = std::str::from_utf8(bytes.get(component_end..pattern_end)?).ok()?;
    Some((component.to_owned(), pattern.to_owned(), end))
}

fn entry(settled: &Ranges) -> Vec<u8> {
    let mut body = settled.floor().to_le_bytes().to_vec();
    for (first, last) in settled.above() {
        body.extend_from_slice(&first.to_le_bytes());
        body.extend_from_slice(&last.to_le_bytes());
    }
    let mut entry = (body.len() as u32).to_le_bytes().to_vec();
    entry.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    entry.extend(body);
    entry
}

fn parse_entry(bytes: &[u8]) -> Option<(Ranges, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (floor, pairs) = body.split_first_chunk::<8>()?;
    let mut settled = Ranges::up_to(u64::from_le_bytes(*floor));
    for pair in pairs.chunks_exact(16) {
        let (first, last) = pair.split_first_chunk::<8>()?;
        settled.insert(u64::from_le_bytes(*first), u64::from_le_bytes(last.try_into().ok()?));
    }
    Some((settled, 8 + body.len()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{FILE_BYTES_MAX, Journal, load_all};
    use crate::embedded::ranges::Ranges;

    #[test]
    fn the_last_whole_entry_counts_wherever_the_file_is_torn() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut settled = Ranges::up_to(4);
        let mut journal = Journal::create(directory.path(), "orders", "a.*", &settled).expect("creates");
        let whole = fs::read(&journal.path).expect("reads").len();
        settled.insert(9, 12);
        journal.append(&settled).expect("appends");
        let bytes = fs::read(&journal.path).expect("reads");
        for length in whole..=bytes.len() {
            fs::write(&journal.path, &bytes[..length]).expect("writes");
            let loaded = load_all(directory.path()).expect("loads").remove(0);
            let expected = if length == bytes.len() { settled.clone() } else { Ranges::up_to(4) };
            assert_eq!((loaded.component.as_str(), loaded.pattern.as_str()), ("orders", "a.*"));
            assert_eq!(loaded.settled, expected, "{length}");
        }
        fs::write(&journal.path, &bytes[..whole - 1]).expect("writes");
        assert!(load_all(directory.path()).is_err(), "a first entry is written whole or not at all");
    }

    #[test]
    fn the_file_stays_small_and_can_be_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::create(directory.path(), "orders", ">", &Ranges::default()).expect("creates");
        let mut longest = 0;
        for floor in 0..20_000 {
            journal.append(&Ranges::up_to(floor)).expect("appends");
            longest = longest.max(journal.length);
        }
        assert!(longest <= FILE_BYTES_MAX + 64, "{longest}");
        let loaded = load_all(directory.path()).expect("loads").remove(0);
        assert_eq!(loaded.settled.floor(), 19_999);
        journal.remove().expect("removes");
        assert!(load_all(directory.path()).expect("loads").is_empty());
    }
}
