//! A real nats-server, for tests and for the shop on NATS: found where systems put it, or installed.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::packages::ensure as ensure_package;
use crate::workspace::Workspace;

/// The variable that tells tests where the server is.
pub(crate) const VARIABLE: &str = "HULL_NATS_SERVER";
const PROGRAM: &str = "nats-server";
/// In the server's folder: which process it is.
const PID_FILE: &str = "pid";
/// How often something is looked at that takes a moment, and how many times.
const WAIT: Duration = Duration::from_millis(50);
const WAITS_MAX: usize = 400;
/// Where packages put it besides the search path: Debian does not put it where everybody looks.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];

/// Where the server is; installed if it is nowhere and this may install it.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    ensure_package(workspace, PROGRAM, find, missing)
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Some(PathBuf::from(named));
    }
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&on_path).chain(MORE_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(PROGRAM)).find(|file| file.is_file())
}

fn missing() -> String {
    format!(
        "{PROGRAM} is missing (2.9 or later). Install it with `apt-get install {PROGRAM}`, or with the package of your\n\
         distribution, or from https://nats.io/download, and put it on the PATH or into {VARIABLE}"
    )
}

/// Start one on a free port of the loopback interface, with its data in `folder`, and have it end when this process
/// ends, or what takes its place. Where clients find it.
pub(crate) fn start_beside(workspace: &Workspace, folder: &Path) -> anyhow::Result<String> {
    let program = ensure(workspace)?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    end_earlier(folder)?;
    let port = free_port()?;
    let log = std::fs::File::create(folder.join("log")).context("cannot write the log of nats-server")?;
    let mut command = workspace.program(program);
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder);
    // In a group of its own, so that Ctrl-C ends the host first and the server after it.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0);
    let mut child = command.spawn().context("cannot start nats-server")?;
    std::fs::write(folder.join(PID_FILE), child.id().to_string()).context("cannot write the pid of nats-server")?;
    wait_until("nats-server to start", || {
        if child.try_wait().is_ok_and(|ended| ended.is_some()) {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            bail!("nats-server ended:\n{log}");
        }
        Ok(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
    })?;
    let watch = "while kill -0 \"$1\" 2> /dev/null; do sleep 1; done; kill \"$2\"";
    let mut watcher = workspace.program("sh");
    watcher.args(["-c", watch, "sh", &std::process::id().to_string(), &child.id().to_string()]);
    watcher.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    watcher.spawn().context("cannot start sh")?;
    Ok(format!("nats://127.0.0.1:{port}"))
}

/// Two servers must not share a folder: end the one of an earlier run, if it is still there.
fn end_earlier(folder: &Path) -> anyhow::Result<()> {
    let Ok(pid) = std::fs::read_to_string(folder.join(PID_FILE)) else { return Ok(()) };
    let is_there = || {
        // Its name in brackets and its state; one that has ended may be a zombie until its parent looks.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.split_once(&format!("({PROGRAM}) ")).is_some_and(|(_, state)| !state.starts_with('Z'))
    };
    if is_there() {
        // It may be ending already.
        let _ = Command::new("kill").arg(pid.trim()).status();
    }
    wait_until("the nats-server of an earlier run to end", || Ok(!is_there()))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    for _ in 0..WAITS_MAX {
        if is_so()? {
            return Ok(());
        }
        std::thread::sleep(WAIT);
    }
    bail!("waited too long for {what}")
}

/// One that nobody listens on just now.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("there is no free port")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::{free_port, missing, start_beside};
    use crate::workspace::Workspace;

    #[test]
    fn a_missing_server_is_named_with_the_line_that_installs_it() {
        assert!(missing().contains("`apt-get install nats-server`"));
    }

    #[test]
    fn a_second_server_takes_the_place_of_the_first() {
        let workspace = Workspace::find().expect("the project");
        let folder = tempfile::tempdir().expect("a folder");
        let connects = |url: &str| std::net::TcpStream::connect(url.trim_start_matches("nats://")).is_ok();
        let first = start_beside(&workspace, folder.path()).expect("starts");
        assert!(connects(&first), "{first}");
        let second = start_beside(&workspace, folder.path()).expect("starts");
        assert!(connects(&second) && !connects(&first), "{first} {second}");
    }

    #[test]
    fn a_free_port_can_be_listened_on() {
        let port = free_port().expect("a port");
        assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
    }
}
