//! What one invocation may use: memory, CPU and time.

use std::time::Duration;

use hull_tests::http::Client;
use hull_tests::probe;
use serde_json::{Value, json};

use crate::told::{Counted, bound};
use crate::{limited, limits};

const MEMORY_MIB: u32 = 16;

pub(crate) fn manifest() -> String {
    let patient = "time = \"30s\"";
    [
        limited("memory", "", "", "memory = \"16MiB\""),
        limited("cpu", "", "", &format!("cpu-per-invocation = \"100ms\"\n{patient}")),
        limited("time", "", "", "time = \"500ms\""),
    ]
    .concat()
}

fn fine(client: &Client, component: &str, step: &Value) -> anyhow::Result<()> {
    probe::must(client, &format!("/{component}/run"), &json!([step])).map(drop)
}

fn ended(client: &Client, component: &str, step: &Value, status: u16, kind: &str, line: &str) -> anyhow::Result<()> {
    let told =
        json!({"type": format!("urn:hull:problem:{kind}"), "detail": format!("~ {line}"), "component": component});
    client.post(&format!("/{component}/run"), &json!([step]))?.expect_json(status, &told).map(drop)
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
        fine(&client, "cpu", &json!({"do": "spin", "ms": 70}))?;
    }
    counted.rose(&[])?;
    let before = cpu()?.unwrap_or(0.0);
    ended(&client, "cpu", &json!({"do": "loop"}), 500, "cpu-exceeded", "limits.cpu-per-invocation")?;
    let used = cpu()?.unwrap_or(0.0) - before;
    assert!((0.095..0.2).contains(&used), "it was ended after {used} s of CPU time, and had 0.1 s");
    counted.rose(&[("cpu-per-invocation", 1)])?;
    bound(&running, "cpu", "cpu-per-invocation", 0.1)?;
    Ok(())
}

#[test]
fn wall_time_of_one_invocation() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "time")?;
    fine(&client, "time", &json!({"do": "sleep", "ms": 200}))?;
    counted.rose(&[])?;
    let begun = hull_clock::now();
    ended(&client, "time", &json!({"do": "sleep", "ms": 30_000}), 504, "deadline-exceeded", "limits.time")?;
    let took = begun.elapsed();
    assert!((Duration::from_millis(490)..Duration::from_secs(3)).contains(&took), "{took:?} of 500 ms");
    counted.rose(&[("time", 1)])?;
    bound(&running, "time", "time", 0.5)?;
    Ok(())
}
