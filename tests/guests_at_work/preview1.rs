//! Components as `cargo component build` makes them: a module for `wasm32-wasip1`, encoded with the preview-1 adapter.

use anyhow::Context as _;
use hull_tests::app::App;
use hull_tests::shared::Running;
use hull_tests::{probe, wait};
use wasi_preview1_component_adapter_provider as adapter;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const MODULE: &str = include_str!("preview1/module.wat");
const WORLD: &str = include_str!("preview1/world.wit");

fn component() -> anyhow::Result<Vec<u8>> {
    let mut module = wat::parse_str(MODULE)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("world.wit", WORLD)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    let name = adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.validate(true).module(&module)?;
    let encoder = encoder.adapter(name, adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
    encoder.encode().context("the module cannot be encoded")
}

#[test]
fn a_module_with_the_preview_1_adapter_runs() -> anyhow::Result<()> {
    let manifest = probe::application("old") + &probe::component("old", "", "");
    let app = App::of_text(&manifest.replace("{probe}", "old.wasm"))?;
    std::fs::write(app.folder().join("old.wasm"), component()?)?;
    let running = Running::start(app)?;
    let answer = running.client().get("/old/anything")?.expect(200)?;
    assert_eq!(answer.text(), "Hello from preview 1.\n");
    wait::until("what it said to be logged", || {
        let logs = running.host().asked("GET", "/v1/apps/old/logs?component=old&lines=10")?.send()?.expect(200)?.text();
        Ok(logs.contains("said through preview 1").then_some(()))
    })
}

#[test]
fn the_module_itself_is_refused_by_name() -> anyhow::Result<()> {
    let manifest = probe::application("old") + &probe::component("old", "", "");
    let app = App::of_text(&manifest.replace("{probe}", "old.wasm"))?;
    std::fs::write(app.folder().join("old.wasm"), wat::parse_str(MODULE)?)?;
    for ended in [app.check()?, app.up_ends()?] {
        assert_eq!(ended.status, Some(1), "{}", ended.said());
        assert!(ended.said().contains("old") && ended.said().contains("core WebAssembly module"), "{}", ended.said());
        assert!(ended.said().contains("wasm32-wasip2"), "it says what would be right: {}", ended.said());
    }
    Ok(())
}
