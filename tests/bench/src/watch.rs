//! Watches a host from outside while others load it: whether it says that it lives, how fast, and what memory it has.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use crate::exchange;
use crate::process::Process;

/// From one look to the next.
const EVERY: Duration = Duration::from_millis(100);

/// What was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// How often it was asked whether it lives.
    pub(crate) probes: u64,
    /// How often it did not say so within 5 s.
    pub(crate) silent: u64,
    /// The slowest answer, connecting included.
    pub(crate) slowest: Duration,
    /// The most memory that it had, in bytes.
    pub(crate) resident_bytes_most: u64,
}

/// Look until `stop` is set, at least once.
pub(crate) fn watch(host: &Process, stop: &AtomicBool) -> anyhow::Result<Seen> {
    let admin = host.admin.context("the host told no admin address")?;
    let mut seen = Seen::default();
    loop {
        let asked = hull_clock::now();
        let is_live = exchange::get(admin, "/healthz/live").is_ok();
        let took = asked.elapsed();
        seen.probes += 1;
        seen.silent += u64::from(!is_live);
        seen.slowest = seen.slowest.max(took);
        seen.resident_bytes_most = seen.resident_bytes_most.max(host.resident_bytes()?);
        if stop.load(Ordering::Relaxed) {
            return Ok(seen);
        }
        std::thread::sleep(EVERY.saturating_sub(took));
    }
}
