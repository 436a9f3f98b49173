//! What one instance may use: memory by a limiter that counts all of an instance's memories and tables together,
//! CPU by the epoch callback.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use crate::memory::ComponentMemory;
use crate::state::HostState;

/// The limits of one instance and one invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceLimits {
    /// All memories and tables of an instance together, in bytes.
    pub memory_bytes: u64,
    /// CPU time of one invocation.
    pub cpu: Duration,
}

/// In what pieces the component's account is asked, in bytes.
const PIECE_BYTES: u64 = 1 << 20;
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

/// The host is short of memory, and the guest's component has more than its share; carried like the other.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the host is short of memory")]
pub(crate) struct MemoryShort;

/// Counts what an instance has allocated.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    component: Arc<ComponentMemory>,
    limit_bytes: u64,
    used_bytes: u64,
    /// What the component's account was asked for.
    had_bytes: u64,
    /// What the last growth added: given back if it fails for another reason than this limit.
    granted_bytes: u64,
    refused: Option<RefusedBy>,
}

/// Whose bound an instance met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedBy {
    /// Its own.
    Limit,
    /// The host's.
    Host,
}

impl MemoryLimiter {
    pub(crate) fn new(component: &Arc<ComponentMemory>, limit_bytes: u64) -> Self {
        Self {
            component: Arc::clone(component),
            limit_bytes,
            used_bytes: 0,
            had_bytes: 0,
            granted_bytes: 0,
            refused: None,
        }
    }

    /// Who refused the guest memory, if anybody did: what it dies of afterwards is most likely that.
    pub(crate) fn refused(&self) -> Option<RefusedBy> {
        self.refused
    }

    /// Whether it must end, so that others get what they need.
    fn must_give_way(&self) -> bool {
        self.component.must_give_way()
    }

    fn grow(&mut self, current: u64, desired: u64) -> bool {
        self.granted_bytes = 0;
        let used = self.used_bytes.saturating_sub(current).saturating_add(desired);
        let refused = match used.checked_sub(self.used_bytes) {
            _ if used > self.limit_bytes => Some(RefusedBy::Limit),
            Some(more) if !self.have(more) => Some(RefusedBy::Host),
            more => {
                self.granted_bytes = more.unwrap_or(0);
                self.used_bytes = used;
                None
            }
        };
        self.refused = refused.or(self.refused);
        refused.is_none()
    }

    /// The component's account is asked for large pieces at a time: most instances ask it once.
    fn have(&mut self, more: u64) -> bool {
        let wanted = (self.used_bytes + more).saturating_sub(self.had_bytes);
        if wanted == 0 {
            return true;
        }
        let piece = wanted.next_multiple_of(PIECE_BYTES);
        let had = self.component.take(piece);
        self.had_bytes += if had { piece } else { 0 };
        had
    }

    fn take_back_growth(&mut self) {
        self.used_bytes -= std::mem::take(&mut self.granted_bytes);
    }
}

impl Drop for MemoryLimiter {
    fn drop(&mut self) {
        self.component.give_back(self.had_bytes);
        crate::pool::on_instance_end(self.used_bytes);
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
        self.take_back_growth();
        Ok(())
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back_growth();
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
        if store.data().memory.must_give_way() {
            return Err(MemoryShort.into());
        }
        // The tick came while a slice had hardly begun: it is the next one's.
        Ok(if crate::drive::slice_is_fresh() { UpdateDeadline::Continue(1) } else { UpdateDeadline::Yield(1) })
    });
}

#[cfg(test)]
mod tests {
    use hull_invocation::ComponentId;
    use wasmtime::ResourceLimiter;

    use super::{MemoryLimiter, PIECE_BYTES, RefusedBy};
    use crate::memory::HostMemory;

    fn limiter(host_bytes: Option<u64>, limit_bytes: u64) -> MemoryLimiter {
        let component = HostMemory::new(host_bytes).join(&ComponentId::new("app", "one"), 0);
        MemoryLimiter::new(&component, limit_bytes)
    }

    #[test]
    fn the_host_is_asked_for_pieces_and_gets_them_back() {
        let piece = usize::try_from(PIECE_BYTES).expect("it is small");
        let mut limiter = limiter(Some(2 * PIECE_BYTES), 100 * PIECE_BYTES);
        assert!(limiter.memory_growing(0, piece + 1, None).expect("no error"));
        let component = std::sync::Arc::clone(&limiter.component);
        assert_eq!(component.used(), 2 * PIECE_BYTES);
        assert!(limiter.memory_growing(piece + 1, 2 * piece, None).expect("no error"), "it has so much already");
        assert!(!limiter.memory_growing(2 * piece, 2 * piece + 1, None).expect("no error"));
        assert_eq!(limiter.refused(), Some(RefusedBy::Host));
        drop(limiter);
        assert_eq!(component.used(), 0);
    }

    #[test]
    fn memories_and_tables_share_one_bound() {
        let mut limiter = limiter(None, 1000);
        assert!(limiter.memory_growing(0, 600, None).expect("no error"));
        assert!(limiter.memory_growing(0, 300, None).expect("no error"));
        assert!(limiter.table_growing(0, 10, None).expect("no error"));
        assert_eq!(limiter.refused(), None);
        assert!(!limiter.memory_growing(300, 400, None).expect("no error"));
        assert_eq!(limiter.refused(), Some(RefusedBy::Limit));
        assert!(limiter.memory_growing(300, 320, None).expect("no error"), "a refusal takes nothing");
        limiter.memory_grow_failed(wasmtime::Error::msg("its own maximum")).expect("no error");
        assert!(limiter.memory_growing(300, 320, None).expect("no error"), "what was not grown is not used");
    }
}
