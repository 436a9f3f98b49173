//! Time: computing, asking the host without end, calling oneself, and doing nothing for ever.

use std::hint::black_box;
use std::time::Duration;

use hull_sdk::bindings::wasi::keyvalue::store;
use hull_sdk::clock;
use hull_sdk::wasip2::clocks::monotonic_clock;
use serde_json::Value;

/// Bytes of a line of the flood.
const LINE_BYTES: usize = 1024;
/// Lines of the flood: 64 MiB of them.
const LINES: usize = 64 * 1024;

/// Compute without end.
pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Ask for the time without end: most of the time is spent in the host.
pub(crate) fn clock_storm() -> ! {
    loop {
        black_box(monotonic_clock::now());
    }
}

/// Read from the store without end.
pub(crate) fn keyvalue_storm() -> ! {
    let Ok(bucket) = store::open("default") else { panic!("no store is granted") };
    loop {
        let _ = black_box(bucket.get("nothing"));
    }
}

/// Call oneself without end.
#[allow(unconditional_recursion)]
pub(crate) fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1)) + 1)
}

/// Wait for a year.
pub(crate) fn sleep() -> Value {
    clock::sleep(Duration::from_hours(24 * 365));
    Value::Null
}

/// Print far more than anybody reads.
pub(crate) fn log_flood() -> Value {
    let line = "x".repeat(LINE_BYTES);
    for _ in 0..LINES {
        println!("{line}");
    }
    (LINE_BYTES * LINES).into()
}
