//! The gateway over real sockets, with a stand-in for the components behind it.
#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod access_log;
mod bodies;
mod connections;
mod descriptors;
mod fake;
mod http2;
mod malformed;
mod passing;
mod shutdown;
mod slow_bodies;
mod wire;
