//! A daemon and the command line that talks to it. Who deploys sits at another machine: the commands give way to what
//! serves and to those who ask it, unless they are what is measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::shop::Build;
use crate::process::{Process, Ready};

/// Whether a command gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    Usual,
    Low,
}

/// What the commands give way by.
const NICENESS: &str = "10";
/// No app comes that far.
const NO_REVISION: &str = "4000000000";

/// A running `hull host` with a state directory of its own.
pub(super) struct Daemon {
    pub(super) process: Process,
    hull: PathBuf,
    folder: TempDir,
}

impl Daemon {
    pub(super) fn start() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let hull = program.with_file_name("hull");
        let folder = TempDir::with_prefix("hull-bench-").context("no room for temporary files")?;
        let process = host(&hull, folder.path())?;
        Ok(Self { process, hull, folder })
    }

    /// The same state, in a new process.
    pub(super) fn restart(self) -> anyhow::Result<Self> {
        let Self { process, hull, folder } = self;
        drop(process);
        let process = host(&hull, folder.path())?;
        Ok(Self { process, hull, folder })
    }

    /// Goes with the daemon.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it keeps an app's component's data.
    pub(super) fn database(&self, app: &str, component: &str) -> PathBuf {
        state(self.folder()).join("apps").join(app).join(component).join("data.db")
    }

    /// A command that must succeed.
    pub(super) fn command(&self, words: &[&str], priority: Priority) -> anyhow::Result<()> {
        let ended = self.run(words, priority)?;
        if !ended.status.success() {
            bail!("hull {}: {}", words.join(" "), String::from_utf8_lossy(&ended.stderr));
        }
        Ok(())
    }

    /// All of the shop.
    pub(super) fn deploy(&self, build: &Build, priority: Priority) -> anyhow::Result<()> {
        self.command(&["deploy", "-f", &build.manifest()], priority)
    }

    /// A new version of one component.
    pub(super) fn swap(&self, component: &str, file: &Path) -> anyhow::Result<()> {
        self.command(&["deploy", component, &file.display().to_string()], Priority::Low)
    }

    /// The same, sent and refused: all of a swap but the swap.
    pub(super) fn refused(&self, build: &Build) -> anyhow::Result<()> {
        let file = build.probe().display().to_string();
        let ended = self.run(&["deploy", super::PROBE, &file, "--if-revision", NO_REVISION], Priority::Low)?;
        anyhow::ensure!(!ended.status.success(), "it was not refused");
        Ok(())
    }

    fn run(&self, words: &[&str], priority: Priority) -> anyhow::Result<Output> {
        let mut command = match priority {
            Priority::Usual => Command::new(&self.hull),
            Priority::Low => {
                let mut nice = Command::new("nice");
                nice.args(["-n", NICENESS]).arg(&self.hull);
                nice
            }
        };
        command.args(words).arg("--state-dir").arg(state(self.folder()));
        command.stdin(Stdio::null()).output().context("cannot run hull")
    }
}

fn state(folder: &Path) -> PathBuf {
    folder.join("state")
}

fn host(hull: &Path, folder: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(hull);
    command.args(["host", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state-dir"]);
    command.arg(state(folder));
    Process::start(command, Ready::JsonOnStdout)
}
