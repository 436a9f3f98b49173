//! Memory: the guest's own, and what the host keeps for it.

use std::hint::black_box;

use hull_sdk::wasip2::cli::stdout;
use hull_sdk::wasip2::clocks::monotonic_clock;
use hull_sdk::wasip2::http::types::Fields;
use hull_sdk::wasip2::random::random;
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
const GIB: u64 = 1 << 30;
/// What a 32-bit memory can hold, in MiB.
const MEMORY_MIB: usize = 4096;
/// Resources of the host to hold at once.
const RESOURCES: usize = 1_000_000;

/// Take memory and use all of it, up to 4 GiB.
pub(crate) fn grow() -> Value {
    let taken: Vec<Vec<u8>> = (0..MEMORY_MIB).map(|_| black_box(vec![1_u8; MIB])).collect();
    taken.iter().map(Vec::len).sum::<usize>().into()
}

/// Hold a million sets of header fields.
pub(crate) fn fields() -> Value {
    let held: Vec<Fields> = (0..RESOURCES).map(|_| Fields::new()).collect();
    held.len().into()
}

/// Hold a million timers.
pub(crate) fn pollables() -> Value {
    let held: Vec<_> = (0..RESOURCES).map(|_| monotonic_clock::subscribe_duration(GIB * GIB)).collect();
    held.len().into()
}

/// Ask for a result of a gibibyte.
pub(crate) fn random() -> Value {
    random::get_random_bytes(GIB).len().into()
}

/// Write headers of a gibibyte: how many bytes of them the host took, and whether it refused the next.
pub(crate) fn headers() -> Value {
    let fields = Fields::new();
    let value = vec![b'x'; 1024];
    let mut bytes = 0_u64;
    while bytes < GIB {
        if let Err(refused) = fields.append("x-large", &value) {
            return json!({"bytes": bytes, "refused": format!("{refused:?}")});
        }
        bytes += value.len() as u64;
    }
    json!({"bytes": bytes, "refused": null})
}

/// Have the host write a tebibyte of zeroes.
pub(crate) fn zeroes() -> Value {
    let written = stdout::get_stdout().write_zeroes(GIB << 10);
    json!({"refused": written.err().map(|refused| format!("{refused:?}"))})
}
