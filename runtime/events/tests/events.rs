//! Subscriptions, requests, relay and dead letters on the real embedded bus and the real storage; only the guest is
//! played, because its faults have to come when they are called.

// Outside of `#[test]` functions clippy takes a test's code for the product's.
#![allow(clippy::expect_used, clippy::duration_suboptimal_units, clippy::needless_pass_by_value)]

#[path = "events/handling.rs"]
mod handling;
#[path = "events/letters.rs"]
mod letters;
#[path = "events/embedded_place.rs"]
mod place;
#[path = "events/relaying.rs"]
mod relaying;
#[path = "events/requesting.rs"]
mod requesting;
#[path = "events/stopping.rs"]
mod stopping;
#[path = "events/weak_bus.rs"]
mod weak_bus;
#[path = "events/world.rs"]
mod world;
