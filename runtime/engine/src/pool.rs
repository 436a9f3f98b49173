//! The slots that instances live in keep some of their memory for the next one. What a large guest leaves beyond that is
//! handed back when it ends, instead of when a batch of regions is full; what they keep, when the host has come to rest.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::mm::{Advice, madvise};
use wasmtime::{Instance, Module, PoolingAllocatorMetrics, Store};

use crate::config::{DECOMMIT_BATCH, MEMORIES_MAX, MEMORY_KEEP_RESIDENT_BYTES, TABLES_MAX, memories_of};

/// So many instances at once leave what they used to the next ones: a service that is asked now and then finds it warm.
const FEW: usize = 8;
/// A pool is in no more parts than this (`default_shard_count` of wasmtime's pooling allocator), and in no more than there
/// are processors. A thread takes slots of the part that is its own, as long as that has one, and parts go to new threads
/// in turn.
const PARTS_MAX: usize = 16;

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

/// Gives memory back that the pool of one engine holds.
pub(crate) struct Sweeper {
    engine: wasmtime::Engine,
    /// As many tables as an instance may have, all of them empty: each is a region.
    regions: Module,
    /// As many memories as an instance may have, likewise: each takes a slot.
    memories: Module,
    /// How many slots there are.
    slots: usize,
    /// How many instances there are,
    alive: AtomicUsize,
    /// and how many there were at once since what they left was given back.
    most: AtomicUsize,
}

impl Sweeper {
    /// For the engine of such a pool.
    pub(crate) fn new(engine: &wasmtime::Engine, instances_max: u32) -> wasmtime::Result<Self> {
        let regions = Module::new(engine, module_of(TABLES_MAX as u8, 0))?;
        let memories = Module::new(engine, module_of(0, MEMORIES_MAX as u8))?;
        let slots = memories_of(instances_max) as usize;
        let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(Self { engine: engine.clone(), regions, memories, slots, alive, most })
    }

    /// Fill the batch of this thread's part of the pool.
    fn sweep(&self) -> wasmtime::Result<()> {
        for _ in 0..DECOMMIT_BATCH.div_ceil(TABLES_MAX as usize) {
            let mut store = Store::try_new(&self.engine, ())?;
            Instance::new(&mut store, &self.regions, &[])?;
        }
        Ok(())
    }

    /// Give back what slots keep that nobody uses, if there may be many. Blocks.
    pub(crate) fn give_back(&self) {
        // Whether a slot keeps something is nothing that the pool tells.
        let (most, alive) = (self.most.load(Ordering::Relaxed), self.alive.load(Ordering::Relaxed));
        if most.saturating_sub(alive) <= FEW {
            return;
        }
        self.most.store(alive, Ordering::Relaxed);
        if let Err(error) = self.clear() {
            tracing::debug!(%error, "what slots keep is given back later");
            self.most.fetch_max(most, Ordering::Relaxed);
        }
    }

    /// Take the slots that were used before and that nobody has, in every part of the pool, but half of those that are free
    /// at the most: the others are for whoever comes meanwhile.
    fn clear(&self) -> wasmtime::Result<()> {
        let Some(metrics) = self.engine.pooling_allocator_metrics() else { return Ok(()) };
        let taken_max = self.slots.saturating_sub(metrics.memories()) / 2 / MEMORIES_MAX as usize;
        let parts = thread::available_parallelism().map_or(1, usize::from).min(PARTS_MAX);
        // Held until all are cleared, or the same ones would be taken again.
        let mut taken = Vec::new();
        for number in 0..2 * parts {
            // Whoever else begins a thread meanwhile may have it take the turn of one of these.
            if number >= parts && metrics.unused_warm_memories() == 0 {
                break;
            }
            let left = taken_max.saturating_sub(taken.len());
            let clear_part = || self.clear_part(&metrics, left);
            let cleared = thread::scope(|scope| {
                let thread = thread::Builder::new().spawn_scoped(scope, clear_part)?;
                thread.join().map_err(|_| wasmtime::format_err!("a thread panicked"))?
            });
            taken.extend(cleared?);
        }
        Ok(())
    }

    /// Take slots of this thread's part of the pool until there is none left that was used before, and give back what they
    /// keep. They are taken by memories of no size, so that they are not written to when they are left.
    fn clear_part(&self, metrics: &PoolingAllocatorMetrics, left: usize) -> wasmtime::Result<Vec<Store<()>>> {
        // What waits to be handed back is in no slot that can be taken.
        self.sweep()?;
        let mut taken = Vec::new();
        while taken.len() < left {
            let unused = metrics.unused_warm_memories();
            let mut store = Store::try_new(&self.engine, ())?;
            let instance = Instance::new(&mut store, &self.memories, &[])?;
            let memories: Vec<_> = instance.exports(&mut store).filter_map(wasmtime::Export::into_memory).collect();
            for memory in memories {
                empty(memory.data_ptr(&store));
            }
            taken.push(store);
            if metrics.unused_warm_memories() + MEMORIES_MAX > unused {
                break;
            }
        }
        Ok(taken)
    }
}

/// Give back what a slot keeps that begins here. What has no pages is all zeros, as it has to be.
#[allow(unsafe_code)]
fn empty(slot: *mut u8) {
    // SAFETY: the slot is taken by a memory of no size, so that nobody reads or writes it; it is longer than that, and
    // private and anonymous, since there are no images of memories (`memory_init_cow`).
    let given = unsafe { madvise(slot.cast(), MEMORY_KEEP_RESIDENT_BYTES, Advice::LinuxDontNeed) };
    if let Err(error) = given {
        tracing::debug!(%error, "what a slot keeps is not given back");
    }
}

/// Dropped after a store, on the same thread: hands back what a large guest leaves.
pub(crate) struct HandingBack(Arc<Sweeper>);

impl HandingBack {
    /// For an instance that is about to be made.
    pub(crate) fn new(sweeper: &Arc<Sweeper>) -> Self {
        let alive = sweeper.alive.fetch_add(1, Ordering::Relaxed) + 1;
        sweeper.most.fetch_max(alive, Ordering::Relaxed);
        Self(Arc::clone(sweeper))
    }
}

impl Drop for HandingBack {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
        if MUCH_IS_LEFT.take()
            && let Err(error) = self.0.sweep()
        {
            // The pool is exhausted: then it hands everything back by itself.
            tracing::debug!(%error, "what a large guest leaves is handed back later");
        }
    }
}

/// The binary format: a header, a section of tables, one of memories and one that exports the memories.
fn module_of(tables: u8, memories: u8) -> Vec<u8> {
    let mut module = vec![0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
    module.extend([4, 1 + 3 * tables, tables]);
    // A table of function references, with no upper bound and no element.
    module.extend([0x70, 0x00, 0x00].repeat(tables.into()));
    module.extend([5, 1 + 2 * memories, memories]);
    // A memory with no upper bound and no page.
    module.extend([0x00, 0x00].repeat(memories.into()));
    module.extend([7, 1 + 4 * memories, memories]);
    // A name of one letter, for a memory, by its number.
    module.extend((0..memories).flat_map(|number| [1, b'a' + number, 2, number]));
    module
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use wasmtime::Engine;

    use super::*;
    use crate::config::{Flavor, host_config};

    const SLOT_BYTES: usize = MEMORY_KEEP_RESIDENT_BYTES;

    fn resident_bytes() -> usize {
        let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
        let pages: usize = text.split(' ').nth(1).expect("a second figure").parse().expect("a number");
        pages * rustix::param::page_size()
    }

    /// A sweeper, and a module that takes one slot.
    fn pool() -> (Arc<Sweeper>, Module) {
        let engine = Engine::new(&host_config(Flavor::Sequential, 256)).expect("an engine");
        let module = Module::new(&engine, module_of(0, 1)).expect("a module");
        (Arc::new(Sweeper::new(&engine, 256).expect("a sweeper")), module)
    }

    /// Use so many slots at once, half of them on another thread, and find nothing in them that another has left.
    fn use_slots(sweeper: &Arc<Sweeper>, module: &Module, slots: usize) {
        let all = Barrier::new(2);
        let use_some = || {
            let used = (0..slots / 2).map(|_| {
                let handing_back = HandingBack::new(sweeper);
                let mut store = Store::new(&sweeper.engine, ());
                let instance = Instance::new(&mut store, module, &[]).expect("a slot");
                let memory = instance.get_memory(&mut store, "a").expect("its memory");
                memory.grow(&mut store, (SLOT_BYTES >> 16) as u64).expect("more memory");
                let is_clean = memory.data(&store).iter().all(|byte| *byte == 0);
                memory.data_mut(&mut store).fill(7);
                (store, handing_back, is_clean)
            });
            let used: Vec<_> = used.collect();
            all.wait();
            assert!(used.iter().all(|(.., is_clean)| *is_clean), "another's words");
        };
        thread::scope(|scope| {
            let other = scope.spawn(use_some);
            use_some();
            assert!(other.join().is_ok());
        });
    }

    #[test]
    fn what_waits_to_be_handed_back_is_given_back_as_well() {
        const SLOTS: usize = 12;
        let (sweeper, module) = pool();
        // Fewer than a batch on each thread: none is free for the next one yet.
        use_slots(&sweeper, &module, SLOTS);
        let metrics = sweeper.engine.pooling_allocator_metrics().expect("a pool");
        assert_eq!((metrics.memories(), metrics.unused_warm_memories()), (0, 0));
        sweeper.give_back();
        let parts = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..4 * parts {
            let swept = thread::scope(|scope| scope.spawn(|| sweeper.sweep()).join());
            assert!(matches!(swept, Ok(Ok(()))));
        }
        assert!(metrics.unused_warm_memories() as usize >= SLOTS, "{} of {SLOTS}", metrics.unused_warm_memories());
        assert_eq!(metrics.unused_memory_bytes_resident(), 0);
        assert_eq!(sweeper.most.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn those_that_wait_for_their_next_invocation_count_for_nothing() {
        let (sweeper, _) = pool();
        let waiting: Vec<_> = (0..2 * FEW).map(|_| HandingBack::new(&sweeper)).collect();
        drop(HandingBack::new(&sweeper));
        sweeper.give_back();
        assert_eq!(sweeper.most.load(Ordering::Relaxed), waiting.len() + 1, "nothing was given back");
    }

    #[test]
    fn what_many_leave_is_given_back_and_their_slots_are_as_good_as_new() {
        const SLOTS: usize = 100;
        let (sweeper, module) = pool();
        let slots = || sweeper.engine.pooling_allocator_metrics().expect("a pool").unused_warm_memories();
        let before = resident_bytes();
        for round in 0..4 {
            use_slots(&sweeper, &module, SLOTS);
            let kept = resident_bytes().saturating_sub(before);
            assert!(kept > SLOTS / 2 * SLOT_BYTES, "round {round}: the slots keep {kept} bytes");
            sweeper.give_back();
            let left = resident_bytes().saturating_sub(before);
            assert!(left < SLOTS / 4 * SLOT_BYTES, "round {round}: of {kept} bytes {left} are left");
            assert!(slots() < SLOTS as u32 * 3, "round {round}: {} slots have been used", slots());
        }
        use_slots(&sweeper, &module, FEW);
        let kept = resident_bytes();
        sweeper.give_back();
        let left = resident_bytes();
        assert!(left + FEW / 2 * SLOT_BYTES > kept, "what a few leave stays: of {kept} bytes there are {left}");
    }
}
