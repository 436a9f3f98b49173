//! A host of its own for a version that is to be verified: the same program, with a state directory that goes with it, so
//! that nothing real is touched.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hull_manifest::{AdminAddress, App};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::manifest_files::state_dir_here;
use crate::options::HostOptions;

/// Compiling everything for the first time is part of it.
const START_TIME_MAX: Duration = Duration::from_mins(5);
/// The last lines of its log that are shown when it does not start.
const LOG_LINES_SHOWN: usize = 15;

/// A running host. Dropping it ends the host and removes its data.
pub(super) struct Trial {
    // Before the folder: the process ends first.
    child: Child,
    folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Trial {
    /// Run the app from its file. Compiled code is taken from the cache of `state_dir`, or of the host here.
    pub(super) async fn start(file: &Path, app: &App, state_dir: Option<&Path>) -> anyhow::Result<Self> {
        // Short: the path of a socket has about 100 bytes.
        let folder = std::env::temp_dir().join(format!("hull-verify-{:x}", hull_clock::random_u64() >> 24));
        DirBuilder::new().mode(0o700).create(&folder).context("there is no room for the trial's data")?;
        let folder = Folder(folder);
        let state = folder.0.join("state");
        let known = match state_dir {
            Some(folder) => folder.to_owned(),
            None => state_dir_here()?,
        };
        lend_cache(&known.join("cache"), &state.join("cache"));
        let config = folder.0.join("hull.toml");
        std::fs::write(&config, host_file(app)).context("the trial's configuration cannot be written")?;
        let log = std::fs::File::create(folder.0.join("log")).context("the trial's log cannot be written")?;
        let mut child = Command::new(std::env::current_exe().context("this program's own path is not known")?)
            .args(["up", "--json", "--listen", "127.0.0.1:0", "--drain", "1s", "-f"])
            .arg(file)
            .arg("--config")
            .arg(&config)
            .arg("--state-dir")
            .arg(&state)
            .arg("--admin")
            .arg(folder.0.join("admin"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("the app cannot be started")?;
        let output = child.stdout.take().context("the app has no output")?;
        let trial = Self { child, folder };
        let ready = tokio::time::timeout(START_TIME_MAX, ready(BufReader::new(output))).await;
        if ready.unwrap_or(false) { Ok(trial) } else { bail!("the app does not start:\n{}", trial.log()) }
    }

    /// End it, and remove what it has written.
    pub(super) async fn end(mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }

    /// How to find it.
    pub(super) fn options(&self, given: &HostOptions) -> HostOptions {
        let socket = self.folder.0.join("admin").display().to_string();
        HostOptions { admin: Some(AdminAddress::Socket(socket)), app: None, ..given.clone() }
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.0.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN)).map(|line| format!("  {line}\n")).collect()
    }
}

/// Whether it says that it is ready, before it ends.
async fn ready(output: BufReader<tokio::process::ChildStdout>) -> bool {
    let mut lines = output.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let told: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if told["event"] == "ready" {
            return true;
        }
    }
    false
}

/// The embedded bus, and files for every storage that the app names.
fn host_file(app: &App) -> String {
    let mut names: Vec<&str> = app.components.iter().map(|component| component.hull.storage.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| format!("[storage.{name}]\nbackend = \"sqlite\"\n")).collect()
}

/// What is compiled already need not be compiled again. The host never changes such a file in place; what cannot be linked
/// is compiled.
fn lend_cache(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    if std::fs::create_dir_all(to).is_ok() {
        for entry in entries.flatten() {
            let _ = std::fs::hard_link(entry.path(), to.join(entry.file_name()));
        }
    }
}
