//! A wall clock of the host's own that can be set while it runs, through libfaketime where it is installed. The
//! monotonic clock stays what it is.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];
const SHARED_MEMORY: &str = "/dev/shm";
const LEFTOVERS: [&str; 2] = ["faketime_shm_", "sem.faketime_sem_"];

/// See the module.
#[derive(Debug)]
pub struct Clock {
    library: &'static str,
    /// Holds how far it is off.
    file: PathBuf,
}

impl Clock {
    /// A clock that is right, kept in that folder.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let library = LIBRARIES.into_iter().find(|library| Path::new(library).is_file());
        let library = library.context("libfaketime is not installed")?;
        let clock = Self { library, file: folder.join("clock") };
        clock.set("+0")?;
        Ok(clock)
    }

    /// What makes a process use it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }

    /// So many seconds before or behind the right time, from a second or so later on.
    pub fn step(&self, seconds: i64) -> anyhow::Result<()> {
        self.set(&format!("{seconds:+}"))
    }

    /// To the right time.
    pub fn right(&self) -> anyhow::Result<()> {
        self.set("+0")
    }

    fn set(&self, offset: &str) -> anyhow::Result<()> {
        // Never seen half-written.
        let unfinished = self.file.with_extension("new");
        std::fs::write(&unfinished, format!("{offset}\n"))?;
        Ok(std::fs::rename(&unfinished, &self.file)?)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        forget_the_dead();
    }
}

/// The library leaves something behind for every process that was killed, named after it.
fn forget_the_dead() {
    let Ok(entries) = std::fs::read_dir(SHARED_MEMORY) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let of = LEFTOVERS.iter().find_map(|begin| name.strip_prefix(begin)?.parse::<u32>().ok());
        if of.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            // Somebody else may be as tidy.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
