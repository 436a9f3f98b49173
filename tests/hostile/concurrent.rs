//! Guests of WASI 0.3, whose instances serve many requests at once: streams and waits without number, and work that
//! goes on after the answer.

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::shared::{Running, Shared};

use crate::attack::{alone, begin, counted, ended, gives_back, hostile, is_well_again, manifest, refused};

static ROOM: Shared = Shared::new(app);

/// Its requests share an instance, or each has its own.
const KINDS: [&str; 2] = ["shared", "fresh"];

/// One component for each behaviour and kind, so that all of them count alone.
fn app() -> anyhow::Result<App> {
    let mut components = Vec::new();
    for (name, limits) in [
        ("loop", "cpu-per-invocation = \"100ms\"\ntime = \"20s\""),
        ("sleep", "time = \"2s\""),
        ("streams", ""),
        ("waits", "cpu-per-invocation = \"10s\"\nmemory = \"2GiB\"\ntime = \"20s\""),
        ("grow", "cpu-per-invocation = \"10s\"\ntime = \"20s\""),
        ("endless-body", "cpu-per-invocation = \"10s\"\ntime = \"3s\""),
    ] {
        for kind in KINDS {
            let reuse = if kind == "shared" { "reuse = \"concurrent\"" } else { "" };
            let name = format!("{kind}-{name}");
            let table = format!("[component.{name}.tool.hull]");
            let component = hostile(&name, "", limits).replace("{hostile}", "{hostile_p3}");
            components.push(component.replace(&table, &format!("{table}\n{reuse}")));
        }
    }
    App::of_text(&manifest(&components))
}

fn room() -> anyhow::Result<Arc<Running>> {
    ROOM.get()
}

/// What each of both kinds is refused with, twice so often, and that nothing of it stays.
fn is_refused(behaviour: &str, times: u16, status: u16, outcome: &str, resource: Option<&str>) -> anyhow::Result<()> {
    let room = room()?;
    for kind in KINDS {
        let component = format!("{kind}-{behaviour}");
        let attack = || refused(&room, &component, behaviour, status, outcome).map(drop);
        gives_back(room.host(), usize::from(times), 64, attack)?;
        ended(room.host(), &component, "http", outcome, 2.0 * f64::from(times))?;
        if let Some(resource) = resource {
            counted(room.host(), &component, resource, 2.0 * f64::from(times))?;
        }
        is_well_again(&room, &component)?;
    }
    Ok(())
}

#[test]
fn endless_loop() -> anyhow::Result<()> {
    is_refused("loop", 1, 500, "cpu-exceeded", Some("cpu-per-invocation"))
}

#[test]
fn sleeping_for_ever() -> anyhow::Result<()> {
    is_refused("sleep", 1, 504, "deadline-exceeded", Some("time"))
}

#[test]
fn a_million_streams() -> anyhow::Result<()> {
    is_refused("streams", 40, 500, "trapped", None)
}

/// The guest could hold what it needs for each of them: it is the host that has room for only so many.
#[test]
fn a_million_waits() -> anyhow::Result<()> {
    is_refused("waits", 2, 500, "trapped", None)
}

#[test]
fn memory_growth() -> anyhow::Result<()> {
    is_refused("grow", 6, 500, "memory-exceeded", Some("memory"))
}

#[test]
fn an_answer_without_end() -> anyhow::Result<()> {
    let room = room()?;
    let _alone = alone();
    for kind in KINDS {
        let component = format!("{kind}-endless-body");
        let before = room.host().resident_bytes()?;
        let mut exchange = begin(&room, &component, "endless-body")?;
        let head = exchange.head()?;
        assert_eq!(head.status, 200, "{component}");
        let mut most = 0;
        let read = exchange.each_piece(&head, |_| most = most.max(room.host().resident_bytes().unwrap_or(u64::MAX)));
        assert!(read.is_err(), "{component}: a part of an answer looks complete");
        assert!(most < before + (48 << 20), "{component}: {before} bytes before, {most} at the most");
        counted(room.host(), &component, "time", 1.0)?;
        is_well_again(&room, &component)?;
    }
    Ok(())
}
