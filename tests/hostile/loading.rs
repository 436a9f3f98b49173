//! Components that do harm before they are asked anything: to whoever compiles them, or starts them.

use std::fmt::Write as _;

use hull_tests::app::App;

use crate::attack::{hostile, manifest};
use crate::encoded::encoded;

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

/// It is found out while the host warms the component up, before anybody can ask it.
fn cannot_start(module: &str, limits: &str, because: &str) -> anyhow::Result<()> {
    let app = App::of_text(&manifest(&[hostile("start", "", limits).replace("{hostile}", "start.wasm")]))?;
    std::fs::write(app.folder().join("start.wasm"), encoded(module)?)?;
    let ended = app.up_ends()?;
    assert_eq!(ended.status, Some(1), "{}", ended.said());
    for part in ["start: it cannot be started: hostile/start ", because] {
        assert!(ended.said().contains(part), "{part:?} in {}", ended.said());
    }
    Ok(())
}

#[test]
fn a_start_function_that_loops() -> anyhow::Result<()> {
    let limits = "cpu-per-invocation = \"100ms\"\ntime = \"20s\"";
    cannot_start(START, limits, "used more than its 100ms of CPU (limits.cpu-per-invocation)")
}

#[test]
fn four_gibibytes_from_the_start() -> anyhow::Result<()> {
    cannot_start(MEMORY, "", "bytes of memory (limits.memory)")
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
