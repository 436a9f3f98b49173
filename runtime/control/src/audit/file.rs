//! The log on disk: `log` has an entry per line, `head` says how many there are and the hash of the last one, so that a
//! log that was cut at its end shows as well.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::AuditError;
use super::chain::{Entry, Flaw, Happening, Head, MISMATCH};
use crate::durable;

const LOG: &str = "log";
const HEAD: &str = "head";
/// How much of the end of the log is looked at for its last entries, in bytes.
const TAIL_BYTES_MAX: u64 = 4 << 20;
/// A line is not longer than this, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// What a verification has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Entries that are in order, from the first on.
    pub entries: u64,
    /// The hash of the last of them: whoever keeps it elsewhere can tell later that nothing before it was changed.
    pub head: String,
    /// The first thing that is wrong.
    pub flaw: Option<Flaw>,
}

pub(super) struct LogFile {
    file: File,
    folder: PathBuf,
    head: Head,
    /// An append failed half-way: what it left is cut off before the next one.
    length: u64,
}

fn error(path: &Path, why: impl ToString) -> AuditError {
    AuditError { path: path.display().to_string(), why: why.to_string() }
}

impl LogFile {
    pub(super) fn open(folder: &Path) -> Result<Self, AuditError> {
        let path = folder.join(LOG);
        let failed = |source: std::io::Error| error(&path, source);
        let mut options = File::options();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
        durable::sync_folder_of(&path).map_err(failed)?;
        let tail = tail(&mut file).map_err(failed)?;
        let whole = tail.rfind('\n').map_or(0, |end| end + 1);
        let unfinished = tail.len() - whole;
        let length = file.metadata().map_err(failed)?.len() - unfinished as u64;
        let last: Option<Entry> = tail.get(..whole).and_then(|text| text.lines().last()).and_then(parsed);
        let kept = read_head(folder);
        let (head, wrong) = joined(last, kept, length);
        let mut log = Self { file, folder: folder.to_owned(), head, length };
        if unfinished > 0 {
            let detail = format!("{unfinished} bytes of an entry that a crash had cut off were removed");
            log.append(host("audit-mended", detail))?;
        }
        if let Some(wrong) = wrong {
            tracing::error!(path = %path.display(), wrong, "the audit log is not as it was left");
            log.append(host(MISMATCH, wrong))?;
        }
        Ok(log)
    }

    pub(super) fn append(&mut self, happening: Happening) -> Result<(), AuditError> {
        let path = self.folder.join(LOG);
        let next = self.head.next(hull_clock::rfc3339_now(), happening);
        let (head, line) = next.ok_or_else(|| error(&path, "an entry cannot be written as JSON"))?;
        let length = self.file.metadata().map_err(|source| error(&path, source))?.len();
        let cut = if length == self.length { Ok(()) } else { self.file.set_len(self.length) };
        let written = cut.and_then(|()| self.file.write_all(line.as_bytes())).and_then(|()| self.file.sync_data());
        written.map_err(|source| error(&path, source))?;
        self.length += line.len() as u64;
        self.head = head;
        let text = serde_json::to_vec(&self.head).map_err(|source| error(&path, source))?;
        durable::write(&self.folder.join(HEAD), &text).map_err(|source| error(&path, source))
    }

    /// A report, compared with what was appended by this process.
    pub(super) fn compared(&self, mut report: AuditReport) -> AuditReport {
        if report.flaw.is_none() && (report.entries, report.head.as_str()) != (self.head.count, self.head.hash.as_str())
        {
            let why = format!("the host has written {} entries, and the log has {}", self.head.count, report.entries);
            report.flaw = Some(Flaw { number: report.entries.min(self.head.count) + 1, why });
        }
        report
    }
}

fn host(action: &str, detail: String) -> Happening {
    let (by, action, result) = ("host".to_owned(), action.to_owned(), "done".to_owned());
    Happening { by, action, detail, result, ..Happening::default() }
}

fn parsed(line: &str) -> Option<Entry> {
    serde_json::from_str(line).ok()
}

fn read_head(folder: &Path) -> Option<Head> {
    std::fs::read(folder.join(HEAD)).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

/// The end of the log, and what is wrong with it. A crash between an entry and the head leaves the head one behind.
fn joined(last: Option<Entry>, kept: Option<Head>, length: u64) -> (Head, Option<String>) {
    let kept_count = kept.as_ref().map_or(0, |kept| kept.count);
    let Some(entry) = last else {
        let wrong =
            (kept_count > 0 || length > 0).then(|| format!("it had {kept_count} entries, and its last line is none"));
        return (kept.unwrap_or_default(), wrong);
    };
    let previous = entry.previous.clone();
    let found = Head { count: entry.number, hash: entry.hash.unwrap_or(previous.clone()) };
    let fits = match &kept {
        Some(kept) => *kept == found || (kept.count + 1 == found.count && kept.hash == previous),
        None => found.count == 1,
    };
    let wrong = (!fits).then(|| format!("it had {kept_count} entries, and has {} or others", found.count));
    (found, wrong)
}

fn tail(file: &mut File) -> std::io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last entries, the newest first. Lines that are none are left out: a verification tells of them.
pub(super) fn last(folder: &Path, most: usize) -> Result<Vec<Entry>, AuditError> {
    let path = folder.join(LOG);
    let text = File::open(&path).and_then(|mut file| tail(&mut file)).map_err(|source| error(&path, source))?;
    Ok(text.lines().rev().filter_map(parsed).take(most).collect())
}

/// Read the log in a folder from its first entry to its last, and look for edits and gaps. The host need not run.
pub fn verify_audit(folder: &Path) -> Result<AuditReport, AuditError> {
    let path = folder.join(LOG);
    let failed = |source: std::io::Error| error(&path, source);
    let mut reader = BufReader::new(File::open(&path).map_err(failed)?);
    let mut head = Head::default();
    let mut line = Vec::new();
    let flaw = loop {
        line.clear();
        let length = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed)?;
        if length == 0 {
            break missing(&head, read_head(folder));
        }
        let text = String::from_utf8_lossy(&line);
        match text.strip_suffix('\n') {
            None => break Some(Flaw { number: head.count + 1, why: "it has no end".to_owned() }),
            Some(text) => match head.after(text) {
                Ok(next) => head = next,
                Err(flaw) => break Some(flaw),
            },
        }
    };
    Ok(AuditReport { entries: head.count, head: head.hash.to_string(), flaw })
}

/// What the head says that there must be, and is not.
fn missing(found: &Head, kept: Option<Head>) -> Option<Flaw> {
    let kept = match kept {
        Some(kept) => kept,
        None if found.count <= 1 => return None,
        None => {
            return Some(Flaw { number: found.count, why: "the file that says which is the last is gone".to_owned() });
        }
    };
    // One more than the head knows is what a crash leaves.
    let is_whole = (kept.count == found.count && kept.hash == found.hash) || kept.count + 1 == found.count;
    let why = format!("there were {} entries, and there are {} or others", kept.count, found.count);
    (!is_whole).then_some(Flaw { number: found.count.min(kept.count) + 1, why })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Happening, LogFile, last, verify_audit};

    fn write(folder: &Path, entries: usize) {
        let mut log = LogFile::open(folder).expect("a log");
        for n in 0..entries {
            log.append(Happening { detail: format!("n {n}"), ..Happening::default() }).expect("written");
        }
    }

    fn flaw(folder: &Path) -> Option<String> {
        verify_audit(folder).expect("readable").flaw.map(|flaw| flaw.to_string())
    }

    #[test]
    fn entries_stay_over_restarts_and_are_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), 2);
        write(folder.path(), 3);
        assert_eq!((verify_audit(folder.path()).expect("readable").entries, flaw(folder.path())), (5, None));
        let newest = last(folder.path(), 2).expect("readable");
        assert_eq!(newest.iter().map(|entry| entry.number).collect::<Vec<_>>(), [5, 4]);
    }

    #[test]
    fn what_a_crash_leaves_is_mended_and_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, head) = (folder.path().join("log"), folder.path().join("head"));
        write(folder.path(), 1);
        let (first, head_of_first) = (fs::read_to_string(&log).expect("there"), fs::read(&head).expect("there"));
        write(folder.path(), 1);
        let both = fs::read_to_string(&log).expect("there");
        // However much of the second entry was written, the head was not.
        for length in first.len()..=both.len() {
            fs::write(&log, &both[..length]).expect("written");
            fs::write(&head, &head_of_first).expect("written");
            write(folder.path(), 1);
            assert_eq!(flaw(folder.path()), None, "{length} of {}", both.len());
            let newest = last(folder.path(), 9).expect("readable");
            let told = newest.iter().any(|entry| entry.action == "audit-mended");
            assert_eq!(told, length > first.len() && length < both.len(), "{newest:?}");
        }
    }

    #[test]
    fn a_log_that_is_cut_or_gone_shows_also_after_a_restart() {
        for damage in [
            |text: &str| text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>(),
            |_: &str| String::new(),
            |text: &str| text.replacen("n 1", "n 7", 1),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            write(folder.path(), 4);
            let path = folder.path().join("log");
            fs::write(&path, damage(&fs::read_to_string(&path).expect("there"))).expect("written");
            assert!(flaw(folder.path()).is_some());
            write(folder.path(), 1);
            assert!(flaw(folder.path()).is_some(), "it does not heal by a restart");
        }
    }
}
