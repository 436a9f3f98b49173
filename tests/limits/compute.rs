//! What one invocation may use: memory, CPU and time.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use hull_tests::http::Client;
use hull_tests::{probe, wait};
use rustix::process::Pid;
use serde_json::{Value, json};

use crate::told::{Counted, bound};
use crate::{limited, limits};

const MEMORY_MIB: u32 = 16;

pub(crate) fn manifest() -> String {
    [
        limited("memory", "", "", "memory = \"16MiB\""),
        limited("cpu", "", "", "cpu-per-invocation = \"1s\"\ntime = \"50s\""),
        limited("giving-way", "sqlite_databases = [\"default\"]", "", "time = \"30s\""),
        limited("time", "", "", "time = \"3s\""),
    ]
    .concat()
}

fn fine(client: &Client, component: &str, step: &Value) -> anyhow::Result<()> {
    probe::must(client, &format!("/{component}/run"), &json!([step])).map(drop)
}

fn ended(client: &Client, component: &str, step: &Value, status: u16, kind: &str, key: &str) -> anyhow::Result<Value> {
    let told =
        json!({"type": format!("urn:hull:problem:{kind}"), "detail": format!("~ {key}"), "component": component});
    client.post(&format!("/{component}/run"), &json!([step]))?.expect_json(status, &told)
}

#[test]
fn memory_to_the_last_mebibyte() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "memory")?;
    let hog = |mib: u32| json!({"do": "hog", "mib": mib});
    // The guest's own two or so are in the sum; everything that it asks for up to that is given.
    fine(&client, "memory", &hog(MEMORY_MIB - 4))?;
    counted.rose(&[])?;
    for mib in [MEMORY_MIB, 2 * MEMORY_MIB, 1000] {
        ended(&client, "memory", &hog(mib), 500, "memory-exceeded", "limits.memory")?;
    }
    counted.rose(&[("memory", 3)])?;
    fine(&client, "memory", &hog(MEMORY_MIB - 4))?;
    bound(&running, "memory", "memory", f64::from(MEMORY_MIB << 20))?;
    Ok(())
}

#[test]
fn cpu_of_one_invocation() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "cpu")?;
    let cpu = || running.host().metric("hull_cpu_seconds_total{app=\"limits\",component=\"cpu\"}");
    // Each invocation has the whole of it.
    for _ in 0..3 {
        fine(&client, "cpu", &json!({"do": "spin", "ms": 700}))?;
    }
    counted.rose(&[])?;
    let before = cpu()?.unwrap_or(0.0);
    ended(&client, "cpu", &json!({"do": "loop"}), 500, "cpu-exceeded", "limits.cpu-per-invocation")?;
    let expected = 0.95..2.0;
    let used = wait::until("its CPU time to be counted", || {
        let used = cpu()?.unwrap_or(0.0) - before;
        Ok((used >= expected.start).then_some(used))
    })?;
    assert!(expected.contains(&used), "it was ended after {used} s of CPU time, and had 1 s");
    counted.rose(&[("cpu-per-invocation", 1)])?;
    bound(&running, "cpu", "cpu-per-invocation", 1.0)?;
    Ok(())
}

/// See sched(7).
const IDLE_CLASS: i32 = 5;

/// The kernel's niceness and scheduling class of each thread of the process with this name.
fn priorities(process: Pid, name: &str) -> anyhow::Result<Vec<(i32, i32)>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{}/task", process.as_raw_nonzero()))? {
        // A thread may end while we look.
        let stat = fs::read_to_string(thread?.path().join("stat")).unwrap_or_default();
        let Some((before, after)) = stat.rsplit_once(") ") else { continue };
        if before.ends_with(&format!("({name}")) {
            // proc_pid_stat(5): `nice` is field 19, `policy` 41, and the third is the first after the name.
            let field = |number: usize| after.split(' ').nth(number - 3).context("too few fields");
            found.push((field(19)?.parse()?, field(41)?.parse()?));
        }
    }
    Ok(found)
}

#[test]
fn what_works_for_one_component_gives_way_to_what_serves_all() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    fine(&client, "giving-way", &json!({"do": "spin", "ms": 50}))?;
    fine(&client, "giving-way", &json!({"do": "execute", "sql": "CREATE TABLE IF NOT EXISTS written (x)"}))?;
    let all = |name: &str, expected: (i32, i32)| {
        let mut found = Vec::new();
        let reached = wait::until("its threads to have their class", || {
            found = priorities(running.host().id()?, name)?;
            Ok((!found.is_empty() && found.iter().all(|found| *found == expected)).then_some(()))
        });
        reached.with_context(|| format!("{name}: {found:?}"))
    };
    all("hull", (0, 0))?;
    all("hull-guest-0", (10, IDLE_CLASS))?;
    all("hull-relief", (10, 0))?;
    all("hull-storage", (5, 0))
}

#[test]
fn wall_time_of_one_invocation() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "time")?;
    fine(&client, "time", &json!({"do": "sleep", "ms": 200}))?;
    counted.rose(&[])?;
    let begun = hull_clock::now();
    let step = json!({"do": "sleep", "ms": 30_000});
    let told = ended(&client, "time", &step, 504, "deadline-exceeded", "limits.time")?;
    let took = begun.elapsed();
    assert!((Duration::from_millis(2990)..Duration::from_secs(18)).contains(&took), "{took:?} of 3 s");
    let detail = told["detail"].as_str().unwrap_or_default();
    assert!(!detail.contains("within 4.") && !detail.contains("within 5s"), "it had the default: {told}");
    counted.rose(&[("time", 1)])?;
    bound(&running, "time", "time", 3.0)?;
    Ok(())
}
