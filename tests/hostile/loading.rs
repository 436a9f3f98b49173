//! Components that do harm before they are asked anything: to whoever compiles them, or starts them.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use hull_tests::app::App;
use hull_tests::shared::{Running, Shared};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::attack::{counted, ended, hostile, manifest, neighbour_is_well, refused};

const WORLD: &str = include_str!("../guests_at_work/preview1/world.wit");

/// The start function never ends.
const START: &str = "(module
  (memory (export \"memory\") 1)
  (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export \"wasi:http/incoming-handler@0.2.0#handle\") (param i32 i32))
  (func $forever (loop $again (br $again)))
  (start $forever))";

/// Four gibibytes before the first instruction.
const MEMORY: &str = "(module
  (memory (export \"memory\") 65535)
  (data (i32.const 0x7fffffff) \"far up\")
  (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export \"wasi:http/incoming-handler@0.2.0#handle\") (param i32 i32)))";

/// Locals of the function that explodes, and loops within loops around their use: the compiler keeps something for each
/// local at each loop.
const LOCALS: usize = 10_000;
const LOOPS: usize = 3_000;

static ROOM: Shared = Shared::new(app);

/// A module in the text format as a component that handles HTTP.
pub(crate) fn encoded(module: &str) -> anyhow::Result<Vec<u8>> {
    let mut module = wat::parse_str(module)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("world.wit", WORLD)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module)?.encode().context("the module cannot be encoded")
}

fn app() -> anyhow::Result<App> {
    let start = hostile("start", "", "cpu-per-invocation = \"100ms\"\ntime = \"20s\"");
    let memory = hostile("memory", "", "");
    let app = App::of_text(&manifest(&[
        start.replace("{hostile}", "start.wasm"),
        memory.replace("{hostile}", "memory.wasm"),
    ]))?;
    std::fs::write(app.folder().join("start.wasm"), encoded(START)?)?;
    std::fs::write(app.folder().join("memory.wasm"), encoded(MEMORY)?)?;
    Ok(app)
}

fn room() -> anyhow::Result<Arc<Running>> {
    ROOM.get()
}

#[test]
fn a_start_function_that_loops() -> anyhow::Result<()> {
    let room = room()?;
    refused(&room, "start", "anything", 500, "cpu-exceeded")?;
    ended(room.host(), "start", "http", "cpu-exceeded", 1.0)?;
    counted(room.host(), "start", "cpu-per-invocation", 1.0)?;
    room.host().until_idle("start")?;
    neighbour_is_well(&room)
}

#[test]
fn four_gibibytes_from_the_start() -> anyhow::Result<()> {
    let room = room()?;
    refused(&room, "memory", "anything", 500, "memory-exceeded")?;
    counted(room.host(), "memory", "memory", 1.0)?;
    room.host().until_idle("memory")?;
    neighbour_is_well(&room)
}

/// A hundred kilobytes that take a compiler gigabytes.
fn explosion() -> String {
    let mut text = "(module (memory (export \"memory\") 1)
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export \"wasi:http/incoming-handler@0.2.0#handle\") (param i32 i32))
        (func"
        .to_owned();
    // Writing to a string does not fail.
    let _ = write!(text, "(local{})", " i32".repeat(LOCALS));
    text.push_str(&" loop".repeat(LOOPS));
    for local in 0..LOCALS {
        let _ = write!(text, " local.get {local} i32.const 1 i32.add local.set {local}");
    }
    text.push_str(&" local.get 0 br_if 0 end".repeat(LOOPS));
    text.push_str("))");
    text
}

/// It is the compiler's own process that ends; the host says which component it was.
#[test]
fn a_component_whose_compilation_explodes() -> anyhow::Result<()> {
    let app = App::of_text(&manifest(&[hostile("explosion", "", "").replace("{hostile}", "explosion.wasm")]))?;
    std::fs::write(app.folder().join("explosion.wasm"), encoded(&explosion())?)?;
    let ended = app.up_ends()?;
    assert_eq!(ended.status, Some(1), "{}", ended.said());
    assert!(ended.said().contains("hostile/explosion: compiling it takes more than"), "{}", ended.said());
    Ok(())
}
