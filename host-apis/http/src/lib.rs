//! Outgoing `wasi:http`, both generations: a pooled client that keeps to `allowed_outbound_hosts`, and calls to other
//! components that never leave the process.

mod address;
mod call;
mod connector;
mod egress;
mod failure;
mod outgoing;

pub use address::{is_public, is_unreachable};
pub use egress::{Egress, EgressLimits, HostPolicy, Refusal};
pub use outgoing::OutgoingHttp;
