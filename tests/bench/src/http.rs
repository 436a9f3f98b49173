//! `bench http`: a hello component under each reuse mode, beside a native server and, where it is installed,
//! `wasmtime serve`; then what a component costs that nobody calls.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::app::{self, Component};
use crate::components;
use crate::machine;
use crate::process::{Process, Ready};
use crate::rounds::{self, Measured, Subject, median};
use crate::table;

/// What to measure, and how thoroughly.
pub(crate) struct Options {
    /// How often each server has its turn.
    pub(crate) rounds: usize,
    /// How long a turn is measured.
    pub(crate) seconds: u64,
    /// Only servers with this in their name; the native one always has its turn.
    pub(crate) only: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 5, seconds: 3, only: String::new() }
    }
}

const CONNECTIONS: usize = 32;
const NATIVE: &str = "native hyper";
/// How many components the host holds when the memory of one is told.
const IDLE_COMPONENTS: u32 = 100;
const WARM_STARTS: usize = 5;

/// Measure and print.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let programs = std::env::current_exe().context("cannot tell where this program is")?;
    let programs = programs.parent().context("this program is in no folder")?;
    let hull = programs.join("hull");
    let work = tempfile::tempdir().context("cannot make a folder for the measurements")?;

    let mut subjects = vec![native(programs.join("hull-bench-native"))];
    subjects.extend(hull_subjects(&hull, work.path())?);
    subjects.extend(wasmtime_subjects()?);
    subjects.retain(|subject| subject.name == NATIVE || subject.name.contains(&options.only));
    let results = rounds::run(&subjects, options.rounds, CONNECTIONS, Duration::from_secs(options.seconds));

    println!("\n{}", machine::describe());
    println!("{CONNECTIONS} connections, {} rounds of {} s, medians\n", options.rounds, options.seconds);
    println!("{}", table::render(&results, NATIVE));
    if !wasmtime_is_there() {
        println!("`wasmtime` is not on the PATH: no rows for `wasmtime serve`\n");
    }
    if options.only.is_empty() {
        println!("| cost of being there | |\n|---|--:|");
        println!(
            "| instantiate and drop (CPU of a request with a fresh instance beyond a reused one) | {} |",
            fresh(&results)
        );
        print_idle_costs(&hull, work.path())?;
    }
    let failed: Vec<&Measured> = results.iter().filter(|result| result.turns.is_err()).collect();
    anyhow::ensure!(failed.is_empty(), "{} of {} servers could not be measured", failed.len(), results.len());
    Ok(())
}

fn native<'a>(program: PathBuf) -> Subject<'a> {
    let start = move || Process::start(Command::new(&program), Ready::JsonOnStdout);
    Subject { name: NATIVE.to_owned(), start: Box::new(start) }
}

fn hull_subjects<'a>(hull: &'a Path, work: &Path) -> anyhow::Result<Vec<Subject<'a>>> {
    // The last one tells what it costs a guest to be within its share.
    let modes: [(&str, &str, &str, &'static [&'static str]); 4] = [
        ("serial", "0.2", "hello", &[]),
        ("never", "0.2", "hello", &[]),
        ("concurrent", "0.3", "hello_p3", &[]),
        ("serial", "0.2", "hello", &["--unfair-cpu"]),
    ];
    let subject = |(reuse, wasi, guest, flags): (&str, &str, &str, &'static [&'static str])| {
        let name = [&[hull_name(reuse, wasi).as_str()], flags].concat().join(" ");
        let folder = work.join(&name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let component = Component { name: "hello".to_owned(), source: components::built(guest)? };
        let manifest = app::manifest(&[component], reuse);
        let start = move || app::up_with(hull, &folder, &manifest, flags);
        Ok(Subject { name, start: Box::new(start) })
    };
    modes.into_iter().map(subject).collect()
}

fn hull_name(reuse: &str, wasi: &str) -> String {
    format!("hull, reuse={reuse} ({wasi})")
}

/// Both serve the same guest on the same way, so that what differs is the instance.
fn fresh(results: &[Measured]) -> String {
    let cpu = |reuse| {
        let name = hull_name(reuse, "0.2");
        let turns = results.iter().find(|result| result.name == name)?.turns.as_ref().ok()?;
        median(turns.iter().map(|turn| turn.server_cpu))
    };
    let difference = cpu("never").zip(cpu("serial")).map(|(never, serial)| never.saturating_sub(serial));
    difference.map_or_else(|| "not measured".to_owned(), table::microseconds)
}

fn wasmtime_is_there() -> bool {
    Command::new("wasmtime").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Without reuse an instance serves one request; with it, as many as it likes, for 0.3 several at a time.
fn wasmtime_subjects<'a>() -> anyhow::Result<Vec<Subject<'a>>> {
    if !wasmtime_is_there() {
        return Ok(Vec::new());
    }
    let p3: &[&str] = &["-Wcomponent-model-async", "-Sp3", "--max-instance-concurrent-reuse-count", "32"];
    let modes: [(&str, &str, &str, &[&str]); 4] = [
        ("without reuse (0.2)", "hello", "1", &[]),
        ("with reuse (0.2)", "hello", "1000000000", &[]),
        ("without reuse (0.3)", "hello_p3", "1", &["-Wcomponent-model-async", "-Sp3"]),
        ("with reuse (0.3)", "hello_p3", "1000000000", p3),
    ];
    let subject = |(mode, guest, count, flags): (&str, &str, &str, &'static [&'static str])| {
        let component = components::built(guest)?;
        let count = count.to_owned();
        let start = move || {
            let mut command = Command::new("wasmtime");
            command.args(["serve", "--addr", "127.0.0.1:0", "-Scli", "--max-instance-reuse-count", &count]);
            command.args(flags).arg(&component);
            Process::start(command, Ready::UrlOnStderr)
        };
        Ok(Subject { name: format!("wasmtime serve {mode}"), start: Box::new(start) })
    };
    modes.into_iter().map(subject).collect()
}

/// What a component costs that is deployed and not called, and how fast a host with a warm cache is there.
fn print_idle_costs(hull: &Path, work: &Path) -> anyhow::Result<()> {
    let one = idle(hull, &work.join("idle-one"), 1)?;
    let many = idle(hull, &work.join("idle-many"), IDLE_COMPONENTS)?;
    let each = many.resident_bytes.saturating_sub(one.resident_bytes) / u64::from(IDLE_COMPONENTS - 1);
    println!("| memory per idle component | {} KiB |", table::thousands(each as f64 / 1024.0));
    println!("| warm start with 1 component | {} |", table::milliseconds(one.started_in));
    println!("| warm start with {IDLE_COMPONENTS} components | {} |", table::milliseconds(many.started_in));
    Ok(())
}

struct Idle {
    resident_bytes: u64,
    started_in: Duration,
}

fn idle(hull: &Path, folder: &Path, count: u32) -> anyhow::Result<Idle> {
    eprintln!("measuring a host with {count} idle components");
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let original = std::fs::read(components::built("hello")?).context("cannot read the hello component")?;
    let mut copies = Vec::new();
    for number in 0..count {
        let source = folder.join(format!("hello-{number}.wasm"));
        std::fs::write(&source, components::numbered(&original, number)).context("cannot write a copy")?;
        copies.push(Component { name: format!("hello-c{number}"), source });
    }
    let manifest = app::manifest(&copies, "never");
    // The first start compiles; those after it find the code in the cache.
    drop(app::up(hull, folder, &manifest)?);
    let mut starts = Vec::new();
    let mut sizes = Vec::new();
    for _ in 0..WARM_STARTS {
        let process = app::up(hull, folder, &manifest)?;
        starts.push(process.started_in);
        sizes.push(process.resident_bytes()?);
    }
    Ok(Idle { resident_bytes: median(sizes).unwrap_or_default(), started_in: median(starts).unwrap_or_default() })
}
