//! A small disk of its own for the state directory, so that it can be full without harm to anybody else. It takes the
//! right to mount; without it the fault is left out and the reason printed.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// Room for a long run with its compiled code.
const DISK_BYTES: u64 = 768 << 20;
const BALLAST: &str = "ballast";
/// How much is written to it at once.
const PIECE: &[u8] = &[0; 64 * 1024];

/// See the module.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// A new, empty disk at that folder.
    pub(crate) fn mount(folder: &Path) -> anyhow::Result<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES},mode=0700"), "tmpfs"]).arg(folder);
        let output = mount.output().context("mount cannot be started")?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(Self { folder: folder.to_owned() })
    }

    /// Take all the room there is.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = File::create(self.folder.join(BALLAST)).context("the disk takes no file")?;
        // The last piece does not fit; what the host writes meanwhile is what it is about.
        while ballast.write_all(PIECE).is_ok() {}
        while ballast.write_all(&[0]).is_ok() {}
        Ok(())
    }

    /// Give it back.
    pub(crate) fn free(&self) -> anyhow::Result<()> {
        match std::fs::remove_file(self.folder.join(BALLAST)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open keeps it until then.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
