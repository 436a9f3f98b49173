//! What counts as memory: an instance's memory and its tables, together.

use hull_tests::app::App;
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::told::{Counted, bound};
use crate::{limited, limits};

const MODULE: &str = include_str!("growth/module.wat");
const WORLD: &str = include_str!("../guests_at_work/preview1/world.wit");

/// Pages of 64 KiB and elements of 8 bytes: beside the page that is there from the start, each alone fits in a mebibyte,
/// and both together are one page beyond it.
const PAGES: u32 = 8;
const TABLE_ELEMENTS: u32 = 64 << 10;
/// One page less; what joins the module to the host has a small table of its own.
const FITTING_ELEMENTS: u32 = TABLE_ELEMENTS - (64 << 10) / 8 - 128;

const ALL: [(&str, u32, u32); 4] = [
    ("grow-memory", PAGES, 0),
    ("grow-table", 0, TABLE_ELEMENTS),
    ("grow-both", PAGES, FITTING_ELEMENTS),
    ("grow-beyond", PAGES, TABLE_ELEMENTS),
];

pub(crate) fn manifest() -> String {
    let one = |name: &str| limited(name, "", "", "memory = \"1MiB\"").replace("{probe}", &file(name));
    ALL.iter().map(|(name, ..)| one(name)).collect()
}

/// The components, beside the manifest.
pub(crate) fn write(app: &App) -> anyhow::Result<()> {
    for (name, pages, elements) in ALL {
        std::fs::write(app.folder().join(file(name)), component(pages, elements)?)?;
    }
    Ok(())
}

fn file(name: &str) -> String {
    format!("{name}.wasm")
}

fn component(pages: u32, elements: u32) -> anyhow::Result<Vec<u8>> {
    let text = MODULE.replace("{pages}", &pages.to_string()).replace("{elements}", &elements.to_string());
    let mut module = wat::parse_str(text)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("world.wit", WORLD)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}

#[test]
fn memory_and_tables_are_one_sum() -> anyhow::Result<()> {
    let running = limits()?;
    for name in ["grow-memory", "grow-table", "grow-both"] {
        let mut counted = Counted::of(&running, name)?;
        running.client().get(&format!("/{name}/x"))?.expect(200)?;
        counted.rose(&[])?;
    }
    let mut counted = Counted::of(&running, "grow-beyond")?;
    let told = json!({"type": "urn:hull:problem:memory-exceeded", "detail": "~ limits.memory"});
    running.client().get("/grow-beyond/x")?.expect_json(500, &told)?;
    counted.rose(&[("memory", 1)])?;
    bound(&running, "grow-beyond", "memory", 1_048_576.0)?;
    Ok(())
}
