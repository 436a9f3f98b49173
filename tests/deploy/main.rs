//! Change drops nothing: deployments to a daemon, what it keeps of them, and what is there after crashes.

// A panic of a thread of the test is the test's own.
#![allow(clippy::expect_used)]

mod apart;
mod audit;
mod budgets;
mod contracts;
mod crash;
#[path = "../hostile/encoded.rs"]
mod encoded;
mod flags;
mod hostile_sources;
mod keys;
mod over_tls;
mod parts;
mod removing;
mod revisions;
mod rollouts;
mod shadow;
mod shared;
mod signatures;
mod sources;
mod swap;
mod uploads;
mod warming;
mod watching;
