//! The one door to every guest: admission first, then the guest. Knows no wasm, no HTTP server and no bus.

mod invoke;

pub use invoke::{Body, BodyError, Invoke};
