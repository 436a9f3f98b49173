//! A server in a process of its own: started, waited for until it says that it is ready, measured from outside,
//! and gone with its handle.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Where a server says that it is ready, and how.
#[derive(Clone, Copy)]
pub(crate) enum Ready {
    /// A line of JSON on standard output: `{"event":"ready","listen":"ADDRESS",…}`.
    JsonOnStdout,
    /// A line on standard error with `http://ADDRESS/` in it.
    UrlOnStderr,
}

/// A running server.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where its operator asks it, if it said so.
    pub(crate) admin: Option<SocketAddr>,
    /// From starting the process to its word that it is ready.
    pub(crate) started_in: Duration,
}

/// Compiling a component the first time is the longest that a start takes.
const START_MAX: Duration = Duration::from_mins(2);
/// What Linux tells programs of CPU time in, whatever it counts in itself.
const TICKS_PER_SECOND: u32 = 100;

impl Process {
    /// Start it and wait until it is ready.
    pub(crate) fn start(mut command: Command, ready: Ready) -> anyhow::Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let begin = hull_clock::now();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (sender, lines) = mpsc::channel();
        // Both are read to their end, so that the server never waits for a reader.
        forward(out.context("no standard output")?, true, sender.clone());
        forward(err.context("no standard error")?, false, sender);
        match wait_until_ready(&lines, ready, begin) {
            Ok(Addresses { listen, admin }) => {
                Ok(Self { child, address: listen, admin, started_in: hull_clock::now() - begin })
            }
            Err(error) => {
                stop(&mut child);
                Err(error.context(format!("{program} did not become ready")))
            }
        }
    }

    /// What the process keeps in memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        resident_bytes(&status).with_context(|| format!("{path} does not tell VmRSS"))
    }

    /// What its threads that live have used of CPU.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let folder = format!("/proc/{}/task", self.child.id());
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(&folder).with_context(|| format!("cannot list {folder}"))? {
            // A thread may end while we look.
            let used = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += used.split(' ').next().and_then(|used| used.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// The same with what threads used that have ended, right to within a hundredth of a second.
    pub(crate) fn cpu_in_all(&self) -> anyhow::Result<Duration> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let ticks = cpu_ticks(&stat).with_context(|| format!("{path} does not tell the CPU time"))?;
        Ok(Duration::from_secs(ticks) / TICKS_PER_SECOND)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn stop(child: &mut Child) {
    // Both fail only if it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

struct Line {
    on_stdout: bool,
    text: String,
}

fn forward(from: impl Read + Send + 'static, on_stdout: bool, to: mpsc::Sender<Line>) {
    std::thread::spawn(move || {
        for text in BufReader::new(from).lines().map_while(Result::ok) {
            // Once it is ready nobody listens any more; reading goes on.
            let _ = to.send(Line { on_stdout, text });
        }
    });
}

fn wait_until_ready(lines: &mpsc::Receiver<Line>, ready: Ready, begin: Instant) -> anyhow::Result<Addresses> {
    let mut said = Vec::new();
    loop {
        let left = (begin + START_MAX).saturating_duration_since(hull_clock::now());
        match lines.recv_timeout(left) {
            Ok(line) => {
                if let Some(addresses) = addresses_in(&line, ready) {
                    return Ok(addresses);
                }
                said.push(line.text);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("it took longer than {START_MAX:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("it ended and said: {}", said.join("\n")),
        }
    }
}

struct Addresses {
    listen: SocketAddr,
    admin: Option<SocketAddr>,
}

fn addresses_in(line: &Line, ready: Ready) -> Option<Addresses> {
    match ready {
        Ready::JsonOnStdout if line.on_stdout => {
            let event: serde_json::Value = serde_json::from_str(&line.text).ok()?;
            let is_ready = event.get("event")?.as_str()? == "ready";
            let address = |name: &str| event.get(name)?.as_str()?.parse().ok();
            let listen = is_ready.then(|| address("listen")).flatten()?;
            Some(Addresses { listen, admin: address("admin") })
        }
        Ready::UrlOnStderr if !line.on_stdout => {
            let (_, rest) = line.text.split_once("http://")?;
            Some(Addresses { listen: rest.split(['/', ' ']).next()?.parse().ok()?, admin: None })
        }
        _ => None,
    }
}

/// Both of user and system, after the name, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{Line, Process, Ready, addresses_in, cpu_ticks, resident_bytes};

    fn address(on_stdout: bool, text: &str, ready: Ready) -> Option<String> {
        let addresses = addresses_in(&Line { on_stdout, text: text.to_owned() }, ready)?;
        Some(addresses.admin.unwrap_or(addresses.listen).to_string())
    }

    #[test]
    fn both_ways_to_say_ready_are_understood() {
        let json = r#"{"event":"ready","listen":"127.0.0.1:1234","ready_ms":7}"#;
        assert_eq!(address(true, json, Ready::JsonOnStdout).as_deref(), Some("127.0.0.1:1234"));
        assert_eq!(address(false, json, Ready::JsonOnStdout), None);
        let with_admin = r#"{"event":"ready","listen":"127.0.0.1:1234","admin":"127.0.0.1:77"}"#;
        assert_eq!(address(true, with_admin, Ready::JsonOnStdout).as_deref(), Some("127.0.0.1:77"));
        assert_eq!(address(true, r#"{"event":"route","listen":"127.0.0.1:1"}"#, Ready::JsonOnStdout), None);
        let url = "Serving HTTP on http://127.0.0.1:1234/";
        assert_eq!(address(false, url, Ready::UrlOnStderr).as_deref(), Some("127.0.0.1:1234"));
        assert_eq!(address(false, "warming up", Ready::UrlOnStderr), None);
    }

    #[test]
    fn a_server_that_ends_is_an_error_with_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such port >&2; exit 1"]);
        let error = Process::start(command, Ready::JsonOnStdout).err().map(|error| format!("{error:#}"));
        assert!(error.as_deref().is_some_and(|error| error.contains("no such port")), "{error:?}");
    }

    #[test]
    fn a_running_process_has_an_address_and_a_size_and_ends_with_its_handle() {
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo '{"event":"ready","listen":"127.0.0.1:9"}'; exec cat /dev/zero > /dev/null"#]);
        let process = Process::start(command, Ready::JsonOnStdout).expect("ready");
        assert_eq!(process.address.port(), 9);
        assert!(process.resident_bytes().expect("its size") > 0);
        // It computes without end; the kernel tells so at its next tick.
        let bound = hull_clock::now() + Duration::from_secs(10);
        while process.cpu().expect("its use").is_zero() {
            assert!(hull_clock::now() < bound, "it computes and uses no CPU");
            std::thread::yield_now();
        }
        let path = format!("/proc/{}", process.child.id());
        drop(process);
        assert!(!std::path::Path::new(&path).exists());
    }

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        assert_eq!(cpu_ticks("7 (a) b (c) S 1 7 7 0 -1 4194560 9 0 0 0 30 12 0 0 20 0 1 0"), Some(42));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(resident_bytes("Name:\thull\nVmRSS:\t    1024 kB\nThreads:\t1\n"), Some(1 << 20));
        assert_eq!(resident_bytes("Name:\thull\n"), None);
    }
}
