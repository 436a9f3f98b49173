//! Contents that were read from their files and found whole. Whoever deploys again what the host keeps waits for no file to
//! be read that has not changed since it was read last.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::content::Content;

/// A file that was changed a moment ago could be changed again and show the same time.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// With more than so many all are forgotten: some are of apps that are no more.
const KNOWN_MAX: usize = 10_000;

/// What tells that a file is another one, or has been written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: SystemTime,
}

impl Look {
    /// As it is now.
    pub(super) fn at(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let modified = metadata.modified()?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), bytes: metadata.len(), modified })
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Whole(Mutex<HashMap<Content, Look>>);

impl Whole {
    /// Whether the file was found whole, and looks as it did then.
    pub(super) fn is(&self, content: &Content, look: &Look) -> bool {
        self.0.lock().get(content) == Some(look)
    }

    /// It was found whole; `look` and `now` are from before it was read.
    pub(super) fn add(&self, content: &Content, look: Look, now: SystemTime) {
        if now.duration_since(look.modified).is_ok_and(|age| age >= SETTLED_AFTER) {
            let mut known = self.0.lock();
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(content.clone(), look);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::{Look, SETTLED_AFTER, Whole};
    use crate::revisions::Content;

    #[test]
    fn a_file_that_was_written_to_is_not_known_as_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "one").expect("written");
        let look = || Look::at(&File::open(&path).expect("opened")).expect("looked at");
        let (whole, content) = (Whole::default(), Content::of(b"one"));
        let first = look();
        whole.add(&content, first, first.modified + SETTLED_AFTER - Duration::from_nanos(1));
        assert!(!whole.is(&content, &look()), "it could have been written to in the same moment");
        whole.add(&content, first, first.modified + SETTLED_AFTER);
        assert!(whole.is(&content, &look()));
        assert!(!whole.is(&Content::of(b"two"), &look()));
        let written = File::options().write(true).open(&path).expect("opened");
        written.set_modified(first.modified + Duration::from_nanos(1)).expect("set");
        assert!(!whole.is(&content, &look()));
    }
}
