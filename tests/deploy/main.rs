//! Change drops nothing: deployments to a daemon, what it keeps of them, and what is there after crashes.

// A panic of a thread of the test is the test's own.
#![allow(clippy::expect_used)]

mod apart;
mod audit;
mod contracts;
mod crash;
mod parts;
mod revisions;
mod rollouts;
mod shadow;
mod swap;
mod uploads;
mod watching;
