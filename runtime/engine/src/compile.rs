//! Compilation, in a process of its own: a component can make it arbitrarily expensive, and then it is that process
//! that ends. It also keeps the compiler's memory out of the host.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::config::{Flavor, host_config};
use crate::error::CompileError;

/// The name of the command that the compile program must answer to.
pub(crate) const COMPILE_COMMAND: &str = "compile-component";
/// As much of the worker's complaint as is kept, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 16 << 10;
/// What it says of its CPU time, in bytes.
const TOLD_BYTES_MAX: u64 = 64;
/// The largest code that a component may become, in bytes.
const CODE_BYTES_MAX: u64 = 1 << 30;
/// What the worker gives way by: everything else comes first.
const NICENESS: i32 = 19;
/// What the worker exits with when it has refused the component.
const EXIT_REJECTED: i32 = 3;

/// How much one compilation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileBounds {
    /// By the clock on the wall.
    pub time: Duration,
    /// Of private memory, in bytes.
    pub memory_bytes: u64,
}

impl Default for CompileBounds {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), memory_bytes: 3 << 30 }
    }
}

/// What a worker is told to do.
#[derive(Debug, Clone)]
pub struct CompileJob {
    /// For which engine.
    pub flavor: Flavor,
    /// The component.
    pub input: PathBuf,
    /// Where the code goes.
    pub output: PathBuf,
    /// The bounds that it sets for itself before it reads anything.
    pub bounds: CompileBounds,
}

/// The worker's side: bound this process, compile, write. Returns the CPU time that it used, in microseconds, which is
/// to be told on standard output; or the exit status for the process and what to say on standard error.
pub fn compile_worker(job: &CompileJob) -> Result<u64, (i32, String)> {
    let failed = |what: &str, error: &dyn std::fmt::Display| (1, format!("{what}: {error}"));
    bound_this_process(job.bounds).map_err(|error| failed("setrlimit", &error))?;
    // What serves comes first.
    rustix::process::nice(NICENESS).map_err(|error| failed("nice", &error))?;
    let bytes = std::fs::read(&job.input).map_err(|error| failed("read", &error))?;
    let engine = wasmtime::Engine::new(&host_config(job.flavor, 1)).map_err(|error| failed("engine", &error))?;
    let code = engine.precompile_component(&bytes).map_err(|error| (EXIT_REJECTED, format!("{error:#}")))?;
    std::fs::write(&job.output, code).map_err(|error| failed("write", &error))?;
    Ok(u64::try_from(hull_clock::process_cpu().as_micros()).unwrap_or(u64::MAX))
}

/// `RLIMIT_DATA` counts private writable memory, and not the address space that the engine sets aside.
fn bound_this_process(bounds: CompileBounds) -> rustix::io::Result<()> {
    let limit = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Data, limit(bounds.memory_bytes))?;
    setrlimit(Resource::Core, limit(0))?;
    setrlimit(Resource::Fsize, limit(CODE_BYTES_MAX))?;
    // All cores may compile at once.
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    setrlimit(Resource::Cpu, limit(bounds.time.as_secs().saturating_mul(cores).max(1)))
}

/// The host's side: run the worker and wait; the CPU time that it used. Dropping the future kills the worker.
pub(crate) async fn compile(
    program: &Path,
    flavor: Flavor,
    input: &Path,
    output: &Path,
    bounds: CompileBounds,
) -> Result<Duration, CompileError> {
    let start_failed = |source| CompileError::Worker { program: program.to_owned(), source };
    let mut child = Command::new(program)
        .arg(COMPILE_COMMAND)
        .arg(flavor.as_str())
        .args([input, output])
        .arg(bounds.time.as_secs().to_string())
        .arg(bounds.memory_bytes.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_clear()
        .kill_on_drop(true)
        .spawn()
        .map_err(start_failed)?;
    let mut complaint = Vec::new();
    let mut told = Vec::new();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let finished = async {
        if let Some(stderr) = stderr {
            // What cannot be read is only an explanation; the exit status decides.
            let _ = stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut complaint).await;
        }
        if let Some(stdout) = stdout {
            let _ = stdout.take(TOLD_BYTES_MAX).read_to_end(&mut told).await;
        }
        child.wait().await
    };
    let Ok(status) = tokio::time::timeout(bounds.time, finished).await else {
        return Err(CompileError::OutOfBounds(format!("{:?}", bounds.time)));
    };
    let status = status.map_err(start_failed)?;
    let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
    match status.code() {
        Some(0) => Ok(Duration::from_micros(String::from_utf8_lossy(&told).trim().parse().unwrap_or(0))),
        Some(EXIT_REJECTED) => Err(CompileError::Rejected(complaint)),
        Some(code) => Err(CompileError::Rejected(format!("the compiler ended with status {code}: {complaint}"))),
        None => Err(CompileError::OutOfBounds(format!(
            "{:?} of time or {} MiB of memory ({status}: {complaint})",
            bounds.time,
            bounds.memory_bytes >> 20
        ))),
    }
}
