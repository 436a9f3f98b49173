//! Memory: the guest's own, its tables, and what the host would have to keep for it. What is refused is given back.

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::shared::{Running, Shared};
use hull_tests::subset::difference;
use serde_json::json;

use crate::attack::{STORAGE, attack, counted, ended, gives_back, hostile, is_well_again, manifest, refused};
use crate::encoded::encoded;

static ROOM: Shared = Shared::new(app);

/// What is meant to end it is not the processor.
const MUCH_CPU: &str = "cpu-per-invocation = \"10s\"\ntime = \"20s\"";

/// Grows its table until it gets no more, and fails.
const TABLE: &str = "(module
  (memory (export \"memory\") 1)
  (table $grown 0 funcref)
  (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export \"wasi:http/incoming-handler@0.2.0#handle\") (param i32 i32)
    (loop $again
      (br_if $again (i32.ne (table.grow $grown (ref.null func) (i32.const 1000)) (i32.const -1))))
    unreachable))";

fn app() -> anyhow::Result<App> {
    let table = |name, limits| hostile(name, "", limits).replace("{hostile}", "table.wasm");
    let app = App::of_text(&manifest(&[
        hostile("grow", "", &format!("memory = \"64MiB\"\n{MUCH_CPU}")),
        hostile("fields", "", MUCH_CPU),
        hostile("pollables", "", MUCH_CPU),
        hostile("random", "", MUCH_CPU),
        hostile("headers", "", MUCH_CPU),
        hostile("zeroes", "", MUCH_CPU),
        hostile("gather", STORAGE, MUCH_CPU),
        table("table", "memory = \"512KiB\""),
        table("elements", ""),
    ]))?;
    std::fs::write(app.folder().join("table.wasm"), encoded(TABLE)?)?;
    Ok(app)
}

fn room() -> anyhow::Result<Arc<Running>> {
    ROOM.get()
}

/// Refused twice so often, and nothing of it stays.
fn is_refused(room: &Running, component: &str, kind: &str, times: u16) -> anyhow::Result<()> {
    let attack = || refused(room, component, component, 500, kind).map(drop);
    // Less than what one of them takes in vain, or all of them together keep.
    gives_back(room.host(), usize::from(times), 48, attack)?;
    ended(room.host(), component, "http", kind, 2.0 * f64::from(times))?;
    is_well_again(room, component)
}

#[test]
fn memory_growth_to_4_gib() -> anyhow::Result<()> {
    let room = room()?;
    is_refused(&room, "grow", "memory-exceeded", 4)?;
    let told = refused(&room, "grow", "grow", 500, "memory-exceeded")?;
    assert_eq!(difference(&json!({"detail": "~ limits.memory", "component": "grow"}), &told), None);
    counted(room.host(), "grow", "memory", 9.0).map(drop)
}

/// Nobody else asks for anything that would make the host tidy up.
#[test]
fn memory_is_given_back_although_nothing_else_happens() -> anyhow::Result<()> {
    let app = App::of_text(&manifest(&[hostile("alone", "", &format!("memory = \"256MiB\"\n{MUCH_CPU}"))]))?;
    let running = Running::start(app)?;
    let kind = json!({"type": "urn:hull:problem:memory-exceeded"});
    let attack = || running.client().get("/alone/grow")?.expect_json(500, &kind).map(drop);
    gives_back(running.host(), 4, 64, attack)
}

#[test]
fn table_growth() -> anyhow::Result<()> {
    let room = room()?;
    refused(&room, "table", "anything", 500, "memory-exceeded")?;
    counted(room.host(), "table", "memory", 1.0).map(drop)
}

/// A tenth of its memory would be enough for more elements than a table may have.
#[test]
fn table_growth_with_memory_to_spare() -> anyhow::Result<()> {
    let room = room()?;
    refused(&room, "elements", "anything", 500, "trapped")?;
    ended(room.host(), "elements", "http", "trapped", 1.0).map(drop)
}

#[test]
fn a_million_resources() -> anyhow::Result<()> {
    is_refused(&*room()?, "fields", "trapped", 30)
}

#[test]
fn a_million_timers() -> anyhow::Result<()> {
    is_refused(&*room()?, "pollables", "trapped", 30)
}

#[test]
fn a_gibibyte_of_random_bytes() -> anyhow::Result<()> {
    is_refused(&*room()?, "random", "trapped", 4)
}

#[test]
fn a_gibibyte_of_headers() -> anyhow::Result<()> {
    is_refused(&*room()?, "headers", "trapped", 4)
}

/// The host would have to make them.
#[test]
fn a_tebibyte_of_zeroes() -> anyhow::Result<()> {
    is_refused(&*room()?, "zeroes", "trapped", 4)
}

/// The host would hold all of it before the guest has any.
#[test]
fn a_gibibyte_of_values_in_one_answer() -> anyhow::Result<()> {
    let room = room()?;
    let attack = || {
        let told = attack(&room, "gather", "keyvalue-gather")?.expect(200)?.json()?;
        assert!(told["why"].as_str().is_some_and(|why| why.contains("16777216 bytes")), "{told}");
        Ok(())
    };
    gives_back(room.host(), 4, 64, attack)?;
    is_well_again(&room, "gather")
}
