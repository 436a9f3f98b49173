//! What `events.rs` tests on the embedded bus, on NATS JetStream: the same words, another bus.

// Outside of `#[test]` functions clippy takes a test's code for the product's.
#![allow(clippy::expect_used, clippy::duration_suboptimal_units, clippy::needless_pass_by_value)]

#[path = "events/handling.rs"]
mod handling;
#[path = "events/letters.rs"]
mod letters;
#[path = "events/nats_place.rs"]
mod place;
#[path = "events/relaying.rs"]
mod relaying;
#[path = "events/requesting.rs"]
mod requesting;
// The tests of the bus itself kill it as well.
#[allow(dead_code)]
#[path = "../../bus/tests/conformance/server.rs"]
mod server;
#[path = "events/stopping.rs"]
mod stopping;
#[path = "events/weak_bus.rs"]
mod weak_bus;
#[path = "events/world.rs"]
mod world;
