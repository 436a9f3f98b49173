//! The revision that an invocation belongs to, for as long as it or a call below it lives. What a revision is knows only
//! who makes it: here it is something to hold.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A revision, held.
#[derive(Clone)]
pub struct Pinned(Arc<dyn Any + Send + Sync>);

impl Pinned {
    /// Hold this.
    pub fn new(revision: impl Any + Send + Sync) -> Self {
        Self(Arc::new(revision))
    }

    /// What is held, to whoever knows its type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.0).downcast().ok()
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pinned")
    }
}
