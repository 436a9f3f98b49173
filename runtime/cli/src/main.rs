//! The `hull` binary: wiring, commands, shutdown.

fn main() {}
