//! A state directory without room, without harm to anybody else: on a small disk of its own, or, where that may not be
//! mounted, by a bound on how long the host's files may be.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use hull_tests::host::Host;
use rustix::process::{Resource, Rlimit, prlimit};

use crate::random::Random;

/// Room for a long run with its compiled code.
const DISK_BYTES: u64 = 768 << 20;
const BALLAST: &str = "ballast";
/// How much is written to it at once.
const PIECE: &[u8] = &[0; 64 * 1024];
/// The longest that a file may be while there is no room for longer ones.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) enum Disk {
    /// A file system in memory.
    Small { folder: PathBuf },
    /// What the system's own bound on the length of files does: writing fails, to files that are long enough already.
    Bound,
}

impl Disk {
    /// A new, empty disk at that folder.
    pub(crate) fn mount(folder: &Path) -> anyhow::Result<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES},mode=0700"), "tmpfs"]).arg(folder);
        let output = mount.output().context("mount cannot be started")?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(Self::Small { folder: folder.to_owned() })
    }

    /// Take all the room there is.
    pub(crate) fn fill(&self, host: &Host, random: &mut Random) -> anyhow::Result<()> {
        match self {
            Self::Small { folder } => {
                let mut ballast = File::create(folder.join(BALLAST)).context("the disk takes no file")?;
                // The last piece does not fit; what the host writes meanwhile is what it is about.
                while ballast.write_all(PIECE).is_ok() {}
                while ballast.write_all(&[0]).is_ok() {}
                Ok(())
            }
            Self::Bound => bound(host, Some(random.below(FILE_BYTES_MAX))),
        }
    }

    /// Give it back. A host that was started meanwhile is not bound.
    pub(crate) fn free(&self, host: Option<&Host>) -> anyhow::Result<()> {
        match (self, host) {
            (Self::Small { folder }, _) => match std::fs::remove_file(folder.join(BALLAST)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            },
            (Self::Bound, Some(host)) => bound(host, None),
            (Self::Bound, None) => Ok(()),
        }
    }
}

/// The host has to ignore the signal that comes with it: see [`hull_tests::app::App::deaf_to`].
fn bound(host: &Host, bytes: Option<u64>) -> anyhow::Result<()> {
    prlimit(Some(host.id()?), Resource::Fsize, Rlimit { current: bytes, maximum: None })?;
    Ok(())
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small { folder } = self {
            // Whoever still has a file open keeps it until then.
            let _ = Command::new("umount").arg("-l").arg(folder).status();
        }
    }
}
