//! A running `hull up`: where it listens, what it says, and the ways to end it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::exchange::Exchange;
use crate::http::{Client, Request};
use crate::output::Output;
use crate::{cache, wait};

/// Compiling everything for the first time is part of it.
const START_TIME: Duration = Duration::from_mins(2);

/// A host process; dropping it kills the process.
#[derive(Debug)]
pub struct Host {
    child: Child,
    stdout: Output,
    stderr: Output,
    ready: Value,
    client: Client,
    admin: Client,
    state_dir: PathBuf,
}

impl Host {
    /// Start and wait for the line that says it is ready.
    pub fn start(mut command: Command, state_dir: &Path) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let stdout = Output::of(child.stdout.take().context("no standard output")?);
        let stderr = Output::of(child.stderr.take().context("no standard error")?);
        let ready = wait::until_within(START_TIME, "the host to be ready", || {
            let ready = stdout.find(ready_line);
            if ready.is_none() && child.try_wait()?.is_some() {
                anyhow::bail!("the host ended");
            }
            Ok(ready)
        });
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.context(format!("{}\n{}", stdout.whole(), stderr.whole())));
            }
        };
        let (client, admin) = (Client::new(address(&ready, "listen")?), Client::new(address(&ready, "admin")?));
        cache::keep(state_dir)?;
        Ok(Self { child, stdout, stderr, ready, client, admin, state_dir: state_dir.to_owned() })
    }

    /// The line that said it is ready.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// Requests to the gateway.
    pub fn client(&self) -> Client {
        self.client
    }

    /// Requests to the admin address, without a token.
    pub fn admin(&self) -> Client {
        self.admin
    }

    /// A request to `/v1`, with the token.
    pub fn asked(&self, method: &str, target: &str) -> anyhow::Result<Request> {
        let token = std::fs::read_to_string(self.state_dir.join("admin-token")).context("there is no token")?;
        Ok(self.admin.request(method, target).header("authorization", &format!("Bearer {}", token.trim())))
    }

    /// Everything it has written to both outputs.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.stdout.text(), self.stderr.text())
    }

    /// The memory it has in use, in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib * 1024)
    }

    /// The most memory that it uses while something goes on, beyond what it used before.
    pub fn growth(&self, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<u64> {
        let before = self.resident_bytes()?;
        let (most, over) = (AtomicU64::new(before), AtomicBool::new(false));
        let done = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    if let Ok(now) = self.resident_bytes() {
                        most.fetch_max(now, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            let done = work();
            over.store(true, Ordering::Release);
            anyhow::ensure!(watcher.join().is_ok(), "whoever watches the memory panicked");
            done
        });
        done?;
        Ok(most.load(Ordering::Relaxed) - before)
    }

    /// The sum of all series of `/metrics` that start with this text; none if there is none.
    pub fn metric(&self, series: &str) -> anyhow::Result<Option<f64>> {
        Ok(total(&self.admin.get("/metrics")?.expect(200)?.text(), series))
    }

    /// The same, asked over a connection to the admin address that is open already.
    pub fn metric_over(&self, admin: &mut Exchange, series: &str) -> anyhow::Result<Option<f64>> {
        admin.send(b"GET /metrics HTTP/1.1\r\nhost: hull.test\r\n\r\n")?;
        let head = admin.head()?;
        let body = admin.body(&head)?;
        anyhow::ensure!(head.status == 200, "{head:?}");
        Ok(total(&String::from_utf8_lossy(&body), series))
    }

    /// How many are inside that component's bulkhead: guests that have answered and go on are among them.
    pub fn inside(&self, component: &str) -> anyhow::Result<u64> {
        let told = self.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
        let components = told["components"].as_array().map(Vec::as_slice).unwrap_or_default();
        let one = components.iter().find(|one| one["component"] == component);
        let inside = one.and_then(|one| one["bulkhead"]["inside"].as_u64());
        inside.with_context(|| format!("no bulkhead of {component} in {told}"))
    }

    /// Wait until nothing runs in that component.
    pub fn until_idle(&self, component: &str) -> anyhow::Result<()> {
        wait::until(&format!("{component} to be idle"), || {
            let text = self.admin.get("/metrics")?.expect(200)?.text();
            let name = format!("component=\"{component}\"");
            let mut series = text.lines().filter(|l| l.starts_with("hull_invocations_in_flight{") && l.contains(&name));
            Ok(series.all(|line| line.ends_with(" 0")).then_some(()))
        })
    }

    /// Kill it as a crash would, and wait until it is gone.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ask it to stop, and do not wait.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Its process.
    pub fn id(&self) -> anyhow::Result<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")
    }

    /// Send it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(rustix::process::kill_process(self.id()?, signal)?)
    }

    /// Wait until it has ended by itself.
    pub fn ended(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let child = &mut self.child;
        let status = wait::until_within(limit, "the host to end", || Ok(child.try_wait()?))
            .with_context(|| format!("it said:\n{}\n{}", self.stdout.text(), self.stderr.text()))?;
        self.stdout.end();
        self.stderr.end();
        Ok(status)
    }

    /// Ask it to stop, wait for it, and check that it ended well.
    pub fn stop(mut self) -> anyhow::Result<String> {
        self.terminate()?;
        let status = self.ended(Duration::from_secs(40))?;
        anyhow::ensure!(status.success(), "{status}: {}", self.said());
        Ok(self.said())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() || std::env::var_os("HULL_TEST_SHOW").is_some() {
            eprintln!("the host said:\n{}", self.said());
        }
    }
}

/// The sum of all series whose line begins so.
fn total(metrics: &str, series: &str) -> Option<f64> {
    let matching = metrics.lines().filter(|line| line.starts_with(series) && !line.starts_with('#'));
    let values = matching.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

fn ready_line(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value.get("event")? == "ready").then_some(value)
}

fn address(ready: &Value, key: &str) -> anyhow::Result<SocketAddr> {
    let text = ready.get(key).and_then(Value::as_str);
    let text = text.with_context(|| format!("the line has no {key}: {ready}"))?;
    text.parse().with_context(|| format!("{text:?} is no address"))
}
