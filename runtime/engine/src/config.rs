//! How the two engines are set up. One runs 0.2 components and does without the machinery for concurrent guests,
//! because that costs every call; the other runs what needs it. Everything else is the same for both.

use std::path::PathBuf;
use std::time::Duration;

use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::compile::CompileBounds;

/// Which of the two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// Synchronous guests: everything that speaks WASI 0.2 only.
    Sequential,
    /// Guests that use the asynchronous component model, WASI 0.3.
    Concurrent,
}

impl Flavor {
    /// The word used in file names and on the compile worker's command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Concurrent => "concurrent",
        }
    }

    /// The inverse of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Sequential, Self::Concurrent].into_iter().find(|flavor| flavor.as_str() == word)
    }
}

/// What the operator decides about the engines.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where compiled code is kept; only the host may write there.
    pub cache_dir: PathBuf,
    /// The program that compiles, in a process of its own: `PROGRAM compile-component …` must call
    /// [`crate::compile_worker`].
    pub compile_program: PathBuf,
    /// How much a compilation may use.
    pub compile_bounds: CompileBounds,
    /// How many instances may be alive on each engine. Address space is set aside for each, memory is not.
    pub instances_max: u32,
    /// What the memories and tables of all guests may have together, in bytes; `None` for no bound.
    pub memory_bytes: Option<u64>,
    /// How long a guest runs before others get their turn.
    pub tick: Duration,
}

/// The largest linear memory that a component can be given, in bytes; the pool sets aside address space for it.
pub(crate) const MEMORY_BYTES_MAX: usize = 4 << 30;
/// Memories and tables of a component, of all its modules together or of one alone.
pub(crate) const MEMORIES_MAX: u32 = 4;
pub(crate) const TABLES_MAX: u32 = 8;
/// Tables of more elements than this cannot be instantiated.
const TABLE_ELEMENTS_MAX: usize = 100_000;
/// How deep a guest's own stack may grow, in bytes.
const WASM_STACK_BYTES_MAX: usize = 512 << 10;
/// The host's calls need some stack beyond the guest's, in bytes.
const FIBER_STACK_BYTES: usize = 1 << 20;
/// What stays resident of a slot between instances, in bytes: resetting it costs a `memset`, handing it back would
/// cost page faults and TLB shoot-downs, which are what makes fresh instances slow.
pub(crate) const MEMORY_KEEP_RESIDENT_BYTES: usize = 4 << 20;
/// Slots that nobody uses are not kept for the module that used them last while there are some that never were used: a version
/// that is replaced would leave its own behind, so that each deployment added to the memory of the host. Which module had a
/// slot before makes no difference to the next one, since resetting it is a `memset` either way.
const WARM_SLOTS_MAX: u32 = 0;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;
const STACK_KEEP_RESIDENT_BYTES: usize = 128 << 10;
/// Regions that are handed back in one system call; an instance has about three, mostly of no length. A pool that runs
/// short hands all of them back at once.
pub(crate) const DECOMMIT_BATCH: usize = 48;

/// The settings that decide what compiled code looks like. The worker that compiles uses the same.
pub(crate) fn code_config(flavor: Flavor) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(flavor == Flavor::Concurrent)
        .wasm_component_model_async(flavor == Flavor::Concurrent)
        .wasm_threads(false)
        .shared_memory(false)
        .wasm_memory64(false)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(WASM_STACK_BYTES_MAX)
        .async_stack_size(FIBER_STACK_BYTES)
        .memory_init_cow(false)
        .memory_reservation(MEMORY_BYTES_MAX as u64)
        .generate_address_map(false)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    config
}

/// How many slots for memories there are.
pub(crate) fn memories_of(instances_max: u32) -> u32 {
    instances_max.saturating_mul(2)
}

/// The settings of a host that runs guests.
pub(crate) fn host_config(flavor: Flavor, instances_max: u32) -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances_max)
        .total_core_instances(instances_max.saturating_mul(4))
        .total_memories(memories_of(instances_max))
        .total_tables(instances_max.saturating_mul(2))
        .total_stacks(instances_max.saturating_mul(2))
        .total_gc_heaps(0)
        .max_core_instances_per_component(32)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(WARM_SLOTS_MAX)
        .decommit_batch_size(DECOMMIT_BATCH)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        .pagemap_scan(wasmtime::Enabled::No);
    let mut config = code_config(flavor);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
