//! The chain of calls behind an invocation: how deep it is, how many are alive below one request, which components have
//! a unit of work open in it, and which revision of the app it is served by.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use crate::ComponentId;
use crate::pinned::Pinned;
use crate::tape::Tape;

/// How deep calls between components may nest.
pub const CALL_DEPTH_MAX: u8 = 8;
/// How many invocations may be alive below one request.
pub const CALL_TREE_MAX: u32 = 64;

/// Why a call may not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineageError {
    /// The chain is as deep as it may be.
    #[error("calls between components nest {CALL_DEPTH_MAX} deep at most")]
    TooDeep,
    /// The request has as many invocations alive as it may have.
    #[error("one request may have {CALL_TREE_MAX} invocations alive at most")]
    TooWide,
}

/// One invocation of the chain, as the ones below it see it.
#[derive(Debug)]
pub struct CallFrame {
    component: ComponentId,
    unit_open: AtomicBool,
    pinned: OnceLock<Pinned>,
    tape: OnceLock<Arc<Tape>>,
    parent: Option<Arc<CallFrame>>,
}

impl CallFrame {
    fn new(component: ComponentId, pinned: OnceLock<Pinned>, parent: Option<Arc<Self>>) -> Self {
        Self { component, unit_open: AtomicBool::new(false), pinned, tape: OnceLock::new(), parent }
    }

    /// The component that runs in this frame.
    pub fn component(&self) -> &ComponentId {
        &self.component
    }

    /// The component that called it, if one did.
    pub fn caller(&self) -> Option<&ComponentId> {
        self.parent.as_ref().map(|parent| &parent.component)
    }

    /// The revision that serves this invocation, if it is known yet.
    pub fn pinned(&self) -> Option<&Pinned> {
        self.pinned.get()
    }

    /// This revision serves the invocation and what it calls, unless another one does already.
    pub fn pin(&self, revision: &Pinned) {
        self.pinned.get_or_init(|| revision.clone());
    }

    /// What becomes of the calls of this invocation, and of nothing below it, if they are not just made.
    pub fn tape(&self) -> Option<&Arc<Tape>> {
        self.tape.get()
    }

    /// Have the calls of this invocation written down or answered by this, unless they are already.
    pub fn attach(&self, tape: Arc<Tape>) {
        self.tape.get_or_init(|| tape);
    }

    /// Say whether this invocation has a unit of work open.
    pub fn set_unit_open(&self, open: bool) {
        self.unit_open.store(open, Ordering::Release);
    }

    /// Whether an invocation further up has a unit of work of the same component open: waiting for it would be
    /// waiting for oneself.
    pub fn would_deadlock(&self) -> bool {
        let mut above = self.parent.as_deref();
        while let Some(frame) = above {
            if frame.component == self.component && frame.unit_open.load(Ordering::Acquire) {
                return true;
            }
            above = frame.parent.as_deref();
        }
        false
    }
}

/// Where an invocation stands in its chain. The count of living invocations falls when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Lineage {
    frame: Arc<CallFrame>,
    depth: u8,
    alive: Arc<Alive>,
}

#[derive(Debug)]
struct Alive {
    count: Arc<AtomicU32>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Lineage {
    /// The first of a chain: a request from outside, or an event.
    pub fn root(component: ComponentId) -> Self {
        let frame = CallFrame::new(component, OnceLock::new(), None);
        let alive = Alive { count: Arc::new(AtomicU32::new(1)) };
        Self { frame: Arc::new(frame), depth: 1, alive: Arc::new(alive) }
    }

    /// The next of the chain: `component` is called from this one.
    pub fn call(&self, component: ComponentId) -> Result<Self, LineageError> {
        if self.depth >= CALL_DEPTH_MAX {
            return Err(LineageError::TooDeep);
        }
        let count = Arc::clone(&self.alive.count);
        if count.fetch_add(1, Ordering::AcqRel) >= CALL_TREE_MAX {
            count.fetch_sub(1, Ordering::AcqRel);
            return Err(LineageError::TooWide);
        }
        // Who is called in the same app is of the caller's revision, whatever serves by now.
        let pinned = match self.frame.pinned.get() {
            Some(revision) if component.app() == self.frame.component.app() => revision.clone().into(),
            _ => OnceLock::new(),
        };
        let parent = Some(Arc::clone(&self.frame));
        let frame = CallFrame::new(component, pinned, parent);
        Ok(Self { frame: Arc::new(frame), depth: self.depth + 1, alive: Arc::new(Alive { count }) })
    }

    /// This invocation's own frame.
    pub fn frame(&self) -> &Arc<CallFrame> {
        &self.frame
    }

    /// 1 for the first of the chain.
    pub fn depth(&self) -> u8 {
        self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::{CALL_DEPTH_MAX, CALL_TREE_MAX, Lineage, LineageError};
    use crate::{ComponentId, Pinned};

    fn component(name: &str) -> ComponentId {
        ComponentId::new("shop", name)
    }

    #[test]
    fn chains_end_at_the_depth_bound() {
        let mut lineage = Lineage::root(component("a"));
        for _ in 1..CALL_DEPTH_MAX {
            lineage = lineage.call(component("a")).expect("below the bound");
        }
        assert_eq!(lineage.call(component("a")).err(), Some(LineageError::TooDeep));
    }

    #[test]
    fn trees_end_at_the_width_bound_and_places_come_back() {
        let root = Lineage::root(component("a"));
        let mut living: Vec<_> =
            (1..CALL_TREE_MAX).map(|_| root.call(component("b")).expect("below the bound")).collect();
        assert_eq!(root.call(component("b")).err(), Some(LineageError::TooWide));
        let clone = living[0].clone();
        living.remove(0);
        assert!(root.call(component("b")).is_err(), "a clone keeps its place");
        drop(clone);
        assert!(root.call(component("b")).is_ok());
    }

    #[test]
    fn calls_stay_in_the_revision_of_their_caller() {
        let (old, new) = (Pinned::new(1_u32), Pinned::new(2_u32));
        let number = |lineage: &Lineage| lineage.frame().pinned().and_then(|one| one.get::<u32>()).map(|one| *one);
        let orders = Lineage::root(component("orders"));
        assert_eq!(number(&orders), None);
        orders.frame().pin(&old);
        orders.frame().pin(&new);
        let payments = orders.call(component("payments")).expect("call");
        payments.frame().pin(&new);
        assert_eq!((number(&orders), number(&payments)), (Some(1), Some(1)));
        let elsewhere = orders.call(ComponentId::new("bank", "payments")).expect("call");
        assert_eq!(number(&elsewhere), None);
    }

    #[test]
    fn only_an_open_unit_of_the_same_component_above_deadlocks() {
        let orders = Lineage::root(component("orders"));
        let payments = orders.call(component("payments")).expect("call");
        let again = payments.call(component("orders")).expect("call");
        assert!(!again.frame().would_deadlock());
        orders.frame().set_unit_open(true);
        assert!(again.frame().would_deadlock());
        assert!(!payments.frame().would_deadlock());
        assert!(!orders.frame().would_deadlock());
        orders.frame().set_unit_open(false);
        assert!(!again.frame().would_deadlock());
    }
}
