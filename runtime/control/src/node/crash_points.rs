//! Steps of a deployment at which tests let the host crash: what is committed must be whole at each of them.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the steps down to the one at which to crash.
pub(crate) struct CrashPoints {
    at: Option<u64>,
    left: AtomicU64,
}

/// More steps than any host will ever count.
const NEVER: u64 = u64::MAX;

impl CrashPoints {
    /// Crash when the step of this number is passed; the first is 1. None: never.
    pub(crate) fn new(at: Option<u64>) -> Self {
        Self { at, left: AtomicU64::new(NEVER) }
    }

    /// Count from now on: what was deployed before is back.
    pub(crate) fn arm(&self) {
        self.left.store(self.at.unwrap_or(NEVER), Ordering::Relaxed);
    }

    /// A step is done. A crash runs no destructor and writes nothing that waits in a buffer of this process.
    pub(crate) fn passed(&self, step: &str) {
        if self.left.load(Ordering::Relaxed) == NEVER {
            return;
        }
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            eprintln!("crashing on purpose: {step}");
            std::process::abort();
        }
    }
}
