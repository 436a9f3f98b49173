//! What a crash in the middle of a write leaves: bytes at the end of a file that nobody was told were written. What was
//! acknowledged stays as it is.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::random::Random;

/// How much of what stands at the end of a file may be repeated.
const TAIL_BYTES: u64 = 4096;
/// What a disk writes at once.
const PAGE_BYTES: u64 = 4096;
/// What every record of a bus file begins with.
const RECORD_MAGIC: &[u8] = &[0xb5, b'H', b'R'];

/// What is appended to: the bus's log, which is one file for everybody, consumers' places, and databases' logs.
const KINDS: [(&str, u64); 3] = [("log", 2), ("place", 1), DATABASE_LOG];
const DATABASE_LOG: (&str, u64) = ("db-wal", 1);

/// Leave something half-written in one of the files that are appended to; the result names it.
pub(crate) fn tear(state_dir: &Path, app: &str, has_bus: bool, random: &mut Random) -> anyhow::Result<String> {
    let kinds = if has_bus { &KINDS[..] } else { &[DATABASE_LOG] };
    let kind = random.weighted(kinds).unwrap_or("log");
    let mut files = Vec::new();
    for folder in [state_dir.join("bus"), state_dir.join("apps").join(app)] {
        find(&folder, kind, &mut files)?;
    }
    files.sort();
    if kind == "log" {
        // Only the last segment is ever written to.
        files = files.split_off(files.len().saturating_sub(1));
    }
    let at = random.below(files.len() as u64) as usize;
    let Some(path) = files.get(at) else { return Ok(format!("no {kind} file to tear")) };
    let tail = tail(path, random)?;
    let mut file = OpenOptions::new().append(true).open(path).with_context(|| path.display().to_string())?;
    file.write_all(&tail)?;
    let shown = path.strip_prefix(state_dir).unwrap_or(path);
    Ok(format!("{} bytes after {}", tail.len(), shown.display()))
}

fn tail(path: &Path, random: &mut Random) -> anyhow::Result<Vec<u8>> {
    if random.percent(20) {
        // Room that was taken for the rest of a page and never written.
        let written = fs::metadata(path)?.len() % PAGE_BYTES;
        return Ok(vec![0; (PAGE_BYTES - written) as usize]);
    }
    if random.percent(40) {
        let count = random.between(1, 600);
        return Ok(random.bytes(count));
    }
    // Half of something that was written before, from where it begins if that can be told.
    let bytes = fs::read(path)?;
    let end = bytes.len() as u64;
    let from = (end.saturating_sub(TAIL_BYTES) + random.below(end.min(TAIL_BYTES))) as usize;
    let rest = bytes.get(from..).unwrap_or_default();
    let begins = rest.windows(RECORD_MAGIC.len()).position(|window| window == RECORD_MAGIC).unwrap_or(0);
    let record = rest.get(begins..).unwrap_or_default();
    let kept = random.below(record.len() as u64) as usize;
    Ok(record.get(..kept).unwrap_or_default().to_vec())
}

fn find(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, extension, found)?;
        } else if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
    Ok(())
}
