//! What the pool of instances keeps. Regions of ended instances are handed back to the system many at once, because each
//! time costs every thread of the host; the batch counts regions, however large they are. So that those of a guest that
//! used much do not wait for many others, small instances are made and ended until the batch is full.

use std::cell::Cell;
use std::sync::Arc;

use wasmtime::{Instance, Module, Store};

use crate::config::{DECOMMIT_BATCH, MEMORIES_MAX, MEMORY_KEEP_RESIDENT_BYTES, TABLES_MAX};

thread_local! {
    /// An instance has ended on this thread that leaves much behind.
    static MUCH_IS_LEFT: Cell<bool> = const { Cell::new(false) };
}

/// An instance ends on this thread that had so much. Its regions are still in use.
pub(crate) fn on_instance_end(used_bytes: u64) {
    if used_bytes > MEMORY_KEEP_RESIDENT_BYTES as u64 {
        MUCH_IS_LEFT.set(true);
    }
}

/// Fills the batch of one engine.
pub(crate) struct Sweeper {
    engine: wasmtime::Engine,
    /// As many memories and tables as an instance may have, all of them empty: each is a region.
    module: Module,
}

impl Sweeper {
    pub(crate) fn new(engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        Ok(Self { engine: engine.clone(), module: Module::new(engine, module_of_regions())? })
    }

    fn sweep(&self) -> wasmtime::Result<()> {
        let regions = (MEMORIES_MAX + TABLES_MAX) as usize;
        for _ in 0..DECOMMIT_BATCH.div_ceil(regions) {
            let mut store = Store::try_new(&self.engine, ())?;
            Instance::new(&mut store, &self.module, &[])?;
        }
        Ok(())
    }
}

/// Dropped after a store, on the same thread: hands back what a large guest leaves.
pub(crate) struct HandingBack(pub(crate) Arc<Sweeper>);

impl Drop for HandingBack {
    fn drop(&mut self) {
        if MUCH_IS_LEFT.take()
            && let Err(error) = self.0.sweep()
        {
            // The pool is exhausted: then it hands everything back by itself.
            tracing::debug!(%error, "what a large guest leaves is handed back later");
        }
    }
}

/// The binary format: a header, a table section, a memory section.
fn module_of_regions() -> Vec<u8> {
    let (tables, memories) = (TABLES_MAX as u8, MEMORIES_MAX as u8);
    let mut module = vec![0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
    module.extend([4, 1 + 3 * tables, tables]);
    // A table of function references, with no upper bound and no element.
    module.extend([0x70, 0x00, 0x00].repeat(tables.into()));
    module.extend([5, 1 + 2 * memories, memories]);
    // A memory with no upper bound and no page.
    module.extend([0x00, 0x00].repeat(memories.into()));
    module
}
