//! The few things the bus asks of a file system, behind a trait so that tests can make them fail: a full disk and a
//! failed sync must be survived, and neither comes when it is called.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Writes, syncs and cuts. Everything blocks.
pub(super) trait Disk: Send + Sync + 'static {
    /// Write all of `bytes` at `offset`.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Return once everything written to `file` is on disk.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Cut `file` to `length`.
    fn cut(&self, file: &File, length: u64) -> io::Result<()>;
}

/// The file system.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }
}

/// Make sure that what was created, renamed or removed in `directory` stays so.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Create a directory with its parents, each one lasting.
pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_directory(parent)?;
        match fs::create_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        return sync_directory(parent);
    }
    fs::create_dir_all(directory)
}

/// Remove a directory with everything in it, `first` before the rest: a crash leaves nothing that passes for whole.
pub(super) fn remove_directory(directory: &Path, first: &str) -> io::Result<()> {
    let there = |done: io::Result<()>| match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    };
    if there(fs::remove_file(directory.join(first)))? {
        sync_directory(directory)?;
    }
    if there(fs::remove_dir_all(directory))?
        && let Some(parent) = directory.parent()
    {
        sync_directory(parent)?;
    }
    Ok(())
}

/// Put a file with these bytes in place, whole or not at all, and open it. Whatever had the name is replaced.
pub(super) fn create_file(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let unfinished = path.with_extension(UNFINISHED);
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&unfinished)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = written {
        // What it leaves is removed at the next opening.
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    if let Some(directory) = path.parent() {
        sync_directory(directory)?;
    }
    Ok(file)
}

/// The extension of files that a crash may leave half written; nothing depends on them.
pub(super) const UNFINISHED: &str = "unfinished";
