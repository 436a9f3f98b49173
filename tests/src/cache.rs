//! Compiled code, shared by all hosts that the tests start: each has a state directory of its own, and compiling the
//! same components again for every one of them would take most of the time.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::files;

/// Give a state directory what others have compiled.
pub fn lend(state_dir: &Path) -> anyhow::Result<()> {
    link_all(&shared()?, &state_dir.join("cache"))
}

/// Keep what a state directory has compiled.
pub fn keep(state_dir: &Path) -> anyhow::Result<()> {
    link_all(&state_dir.join("cache"), &shared()?)
}

fn shared() -> anyhow::Result<std::path::PathBuf> {
    Ok(files::built()?.join("hull-test-code"))
}

/// The host never changes a file in place, so that one file can be in many folders.
fn link_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        // What is under way has another name until it is complete.
        let unfinished =
            entry.path().extension().and_then(OsStr::to_str).is_some_and(|e| e.contains("tmp") || e == "wasm");
        if !unfinished {
            let target = to.join(entry.file_name());
            // It may be there already, or gone again: the host compiles what it misses.
            if let Err(error) = fs::hard_link(entry.path(), &target)
                && error.kind() == ErrorKind::CrossesDevices
            {
                copy_whole(&entry.path(), &target)?;
            }
        }
    }
    Ok(())
}

/// To another disk, under its name only once it is complete.
fn copy_whole(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.exists() {
        return Ok(());
    }
    let unfinished = to.with_extension(format!("tmp-{}", hull_clock::random_u64()));
    fs::copy(from, &unfinished)?;
    fs::rename(&unfinished, to)
}
