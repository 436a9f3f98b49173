//! The place in a bulkhead that an invocation holds. It travels with the invocation, because a guest may go on after
//! its answer has been sent, and the place is free only when it has ended.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Keeps an admission alive until the last clone is dropped.
#[derive(Clone, Default)]
pub struct Slot {
    _held: Option<Arc<dyn Any + Send + Sync>>,
}

impl Slot {
    /// A slot that is given back by dropping `guard`.
    pub fn holding(guard: impl Any + Send + Sync) -> Self {
        Self { _held: Some(Arc::new(guard)) }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}
