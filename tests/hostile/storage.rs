//! Storage: floods that fill it, statements without end, and results that nobody could hold.

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::events::publish;
use hull_tests::shared::{Running, Shared};
use serde_json::{Value, json};

use crate::attack::{APP, STORAGE, at_least, attack, counted, gives_back, hostile, is_well_again, manifest, refused};

static ROOM: Shared = Shared::new(app);

const MUCH_TIME: &str = "cpu-per-invocation = \"20s\"\ntime = \"20s\"";

fn app() -> anyhow::Result<App> {
    let small = format!("storage = \"16MiB\"\n{MUCH_TIME}");
    let full = hostile("full", STORAGE, &small);
    let full = format!("[[trigger.messaging]]\ncomponent = \"full\"\nsubjects = [\"full.*\"]\n{full}");
    App::of_text(&manifest(&[
        hostile("keyvalue", STORAGE, &small),
        hostile("sql", STORAGE, &small),
        full,
        hostile("hour", STORAGE, &format!("statement = {{ time = \"200ms\" }}\n{MUCH_TIME}")),
        hostile("late", STORAGE, "statement = { time = \"20s\" }\ntime = \"2s\""),
        hostile("rows", STORAGE, MUCH_TIME),
        hostile("value", STORAGE, MUCH_TIME),
        hostile("wide", STORAGE, MUCH_TIME),
    ]))
}

fn room() -> anyhow::Result<Arc<Running>> {
    ROOM.get()
}

/// The guest is told why it gets no more, and goes on.
fn told(component: &str, behaviour: &str, why: &str) -> anyhow::Result<Value> {
    let told = attack(&*room()?, component, behaviour)?.expect(200)?.json()?;
    assert!(told["why"].as_str().is_some_and(|text| text.contains(why)), "{why} in {told}");
    Ok(told)
}

#[test]
fn a_flood_of_keys() -> anyhow::Result<()> {
    let room = room()?;
    let told = told("keyvalue", "keyvalue-flood", "limits.storage")?;
    assert_eq!((&told["freed"], &told["again"]), (&json!(true), &json!(true)), "{told}");
    counted(room.host(), "keyvalue", "storage", 1.0)?;
    is_well_again(&room, "keyvalue")
}

#[test]
fn a_flood_of_rows() -> anyhow::Result<()> {
    let room = room()?;
    let told = told("sql", "sql-flood", "QuotaExceeded")?;
    assert_eq!((&told["freed"], &told["again"]), (&json!(true), &json!(true)), "{told}");
    counted(room.host(), "sql", "storage", 1.0)?;
    is_well_again(&room, "sql")
}

/// A component that has used all of its storage can still handle an event: the mark has room of its own.
#[test]
fn what_is_full_still_handles_events() -> anyhow::Result<()> {
    let room = room()?;
    told("full", "keyvalue-fill", "limits.storage")?;
    publish(room.host(), APP, "full.event", &json!("anything"))?;
    let series = format!("hull_events_total{{app=\"{APP}\",component=\"full\",outcome=\"handled\"}}");
    at_least(room.host(), &series, 1.0)?;
    is_well_again(&room, "full")
}

#[test]
fn a_statement_of_an_hour() -> anyhow::Result<()> {
    let room = room()?;
    told("hour", "sql-hour", "limits.statement.time")?;
    counted(room.host(), "hour", "statement-time", 1.0)?;
    is_well_again(&room, "hour")
}

#[test]
fn a_statement_of_an_hour_and_a_caller_in_a_hurry() -> anyhow::Result<()> {
    let room = room()?;
    refused(&room, "late", "sql-hour", 504, "deadline-exceeded")?;
    counted(room.host(), "late", "time", 1.0)?;
    is_well_again(&room, "late")
}

#[test]
fn a_million_rows() -> anyhow::Result<()> {
    let room = room()?;
    gives_back(room.host(), 4, 48, || told("rows", "sql-rows", "TooManyRows").map(drop))?;
    counted(room.host(), "rows", "statement-rows", 1.0)?;
    is_well_again(&room, "rows")
}

#[test]
fn a_value_of_a_gigabyte() -> anyhow::Result<()> {
    let room = room()?;
    gives_back(room.host(), 4, 48, || told("value", "sql-value", "limits.value-max").map(drop))?;
    counted(room.host(), "value", "value", 1.0)?;
    is_well_again(&room, "value")
}

#[test]
fn a_result_of_a_gigabyte() -> anyhow::Result<()> {
    let room = room()?;
    gives_back(room.host(), 8, 64, || told("wide", "sql-wide", "16777216 bytes").map(drop))?;
    is_well_again(&room, "wide")
}
