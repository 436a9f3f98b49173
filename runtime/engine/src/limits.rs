//! What one instance may use: memory by a limiter that counts all of an instance's memories and tables together,
//! CPU by the epoch callback.

use std::time::Duration;

use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use crate::state::HostState;

/// The limits of one instance and one invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceLimits {
    /// All memories and tables of an instance together, in bytes.
    pub memory_bytes: u64,
    /// CPU time of one invocation.
    pub cpu: Duration,
}

/// What a table element costs the host, in bytes.
const TABLE_ELEMENT_BYTES: u64 = 8;
/// How many resources an instance may hold in the host at once.
pub(crate) const RESOURCES_MAX: usize = 10_000;
/// How much host memory the arguments of one call may take, in bytes.
const HOSTCALL_BYTES_MAX: usize = 32 << 20;

/// The guest used up what it may; carried through wasmtime as the trap's cause.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the invocation used its {limit:?} of CPU time")]
pub(crate) struct CpuExhausted {
    pub(crate) limit: Duration,
}

/// Counts what an instance has allocated.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit_bytes: u64,
    used_bytes: u64,
    /// What the last growth added: given back if it fails for another reason than this limit.
    granted_bytes: u64,
    refused: bool,
}

impl MemoryLimiter {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, used_bytes: 0, granted_bytes: 0, refused: false }
    }

    /// Whether the guest was refused memory: what it dies of afterwards is most likely that.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, current: u64, desired: u64) -> bool {
        let used = self.used_bytes.saturating_sub(current).saturating_add(desired);
        let fits = used <= self.limit_bytes;
        if fits {
            self.granted_bytes = used.saturating_sub(self.used_bytes);
            self.used_bytes = used;
        } else {
            self.granted_bytes = 0;
            self.refused = true;
        }
        fits
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current as u64, desired as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = |elements: usize| elements as u64 * TABLE_ELEMENT_BYTES;
        Ok(self.grow(bytes(current), bytes(desired)))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.used_bytes -= std::mem::take(&mut self.granted_bytes);
        Ok(())
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.used_bytes -= std::mem::take(&mut self.granted_bytes);
        Ok(())
    }

    fn instances(&self) -> usize {
        32
    }

    fn tables(&self) -> usize {
        32
    }

    fn memories(&self) -> usize {
        8
    }
}

/// Set a fresh store's bounds. Without the first deadline a store traps at once.
pub(crate) fn bound(store: &mut Store<HostState>) {
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    store.set_max_component_handles(RESOURCES_MAX);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| {
        let limit = store.data().limits.cpu;
        if crate::drive::slice_cpu() > limit {
            return Err(CpuExhausted { limit }.into());
        }
        // The tick came while a slice had hardly begun: it is the next one's.
        Ok(if crate::drive::slice_is_fresh() { UpdateDeadline::Continue(1) } else { UpdateDeadline::Yield(1) })
    });
}

#[cfg(test)]
mod tests {
    use super::MemoryLimiter;
    use wasmtime::ResourceLimiter;

    #[test]
    fn memories_and_tables_share_one_bound() {
        let mut limiter = MemoryLimiter::new(1000);
        assert!(limiter.memory_growing(0, 600, None).expect("no error"));
        assert!(limiter.memory_growing(0, 300, None).expect("no error"));
        assert!(limiter.table_growing(0, 10, None).expect("no error"));
        assert!(!limiter.refused());
        assert!(!limiter.memory_growing(300, 400, None).expect("no error"));
        assert!(limiter.refused());
        assert!(limiter.memory_growing(300, 320, None).expect("no error"), "a refusal takes nothing");
        limiter.memory_grow_failed(wasmtime::Error::msg("its own maximum")).expect("no error");
        assert!(limiter.memory_growing(300, 320, None).expect("no error"), "what was not grown is not used");
    }
}
