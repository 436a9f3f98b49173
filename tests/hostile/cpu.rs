//! Time of the processor and of the clock: loops, storms, recursion, panics, sleep, and a flood of output.

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::shared::{Running, Shared};
use hull_tests::subset::difference;
use serde_json::json;

use crate::attack::{
    APP, STORAGE, at_least, attack, counted, ended, hostile, is_well_again, manifest, neighbour_is_well, refused,
};

static ROOM: Shared = Shared::new(app);

/// CPU is what ends it, long before the time is over.
const LITTLE_CPU: &str = "cpu-per-invocation = \"100ms\"\ntime = \"20s\"";
const LITTLE_TIME: &str = "time = \"3s\"";

fn app() -> anyhow::Result<App> {
    App::of_text(&manifest(&[
        hostile("loop", "", LITTLE_CPU),
        hostile("clock-storm", "", LITTLE_CPU),
        hostile("keyvalue-storm", STORAGE, LITTLE_CPU),
        hostile("waiting-storm", STORAGE, "cpu-per-invocation = \"20s\"\ntime = \"2s\""),
        hostile("recurse", "", ""),
        hostile("panic", "", ""),
        hostile("sleep", "", LITTLE_TIME),
        hostile("log-flood", "", "logs = \"64KiB/s\"\ncpu-per-invocation = \"10s\"\ntime = \"20s\""),
    ]))
}

fn room() -> anyhow::Result<Arc<Running>> {
    ROOM.get()
}

/// All of these compute for longer than they may, wherever they spend it.
fn ends_by_cpu(component: &str, behaviour: &str) -> anyhow::Result<()> {
    let room = room()?;
    let told = refused(&room, component, behaviour, 500, "cpu-exceeded")?;
    assert_eq!(difference(&json!({"detail": "~ limits.cpu-per-invocation", "component": component}), &told), None);
    ended(room.host(), component, "http", "cpu-exceeded", 1.0)?;
    counted(room.host(), component, "cpu-per-invocation", 1.0)?;
    is_well_again(&room, component)
}

#[test]
fn endless_loop() -> anyhow::Result<()> {
    ends_by_cpu("loop", "loop")
}

#[test]
fn endless_loop_of_short_host_calls() -> anyhow::Result<()> {
    ends_by_cpu("clock-storm", "clock-storm")
}

/// Most of its time is a wait for the store, and yet it cannot go on for ever.
#[test]
fn endless_loop_of_storage_calls() -> anyhow::Result<()> {
    ends_by_cpu("keyvalue-storm", "keyvalue-storm")
}

#[test]
fn endless_loop_of_storage_calls_with_cpu_to_spare() -> anyhow::Result<()> {
    let room = room()?;
    refused(&room, "waiting-storm", "keyvalue-storm", 504, "deadline-exceeded")?;
    counted(room.host(), "waiting-storm", "time", 1.0)?;
    is_well_again(&room, "waiting-storm")
}

#[test]
fn endless_recursion() -> anyhow::Result<()> {
    let room = room()?;
    let told = refused(&room, "recurse", "recurse", 500, "trapped")?;
    assert_eq!(told["component"], "recurse", "{told}");
    ended(room.host(), "recurse", "http", "trapped", 1.0)?;
    is_well_again(&room, "recurse")
}

#[test]
fn a_panic_on_every_request() -> anyhow::Result<()> {
    const REQUESTS: u16 = 200;
    let room = room()?;
    let client = room.client();
    for _ in 0..REQUESTS {
        client.get("/panic/panic")?.expect_json(500, &json!({"type": "urn:hull:problem:trapped"}))?;
    }
    neighbour_is_well(&room)?;
    assert!((ended(room.host(), "panic", "http", "trapped", f64::from(REQUESTS))? - f64::from(REQUESTS)).abs() < 0.5);
    is_well_again(&room, "panic")
}

#[test]
fn sleeping_for_ever() -> anyhow::Result<()> {
    let room = room()?;
    let told = refused(&room, "sleep", "sleep", 504, "deadline-exceeded")?;
    assert_eq!(difference(&json!({"detail": "~ limits.time", "component": "sleep"}), &told), None);
    ended(room.host(), "sleep", "http", "deadline-exceeded", 1.0)?;
    counted(room.host(), "sleep", "time", 1.0)?;
    is_well_again(&room, "sleep")
}

/// 64 MiB are printed; a second's worth and what is filled up meanwhile is kept.
#[test]
fn a_flood_of_log_lines() -> anyhow::Result<()> {
    const PRINTED: f64 = 64.0 * 1024.0 * 1024.0;
    let room = room()?;
    attack(&room, "log-flood", "log-flood")?.expect(200)?;
    counted(room.host(), "log-flood", "logs", 1.0)?;
    let series = |name: &str| format!("hull_log_bytes_{name}{{app=\"{APP}\",component=\"log-flood\"}}");
    let dropped = at_least(room.host(), &series("dropped_total"), 1.0)?;
    let kept = room.host().metric(&series("total"))?.unwrap_or(0.0);
    assert!(dropped > PRINTED * 0.9 && kept < PRINTED * 0.1, "{dropped} bytes dropped, {kept} kept");
    is_well_again(&room, "log-flood")
}
