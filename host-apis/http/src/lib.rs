//! Outgoing `wasi:http`, both generations: a pooled client that keeps to `allowed_outbound_hosts`, and calls to other
//! components that never leave the process. Upstreams are reached through the same client.

mod address;
mod body;
mod call;
mod connector;
mod egress;
mod failure;
mod outgoing;
mod policy;
mod tape;
mod upstream;

pub use egress::{Egress, EgressLimits};
pub use outgoing::OutgoingHttp;
pub use policy::{AllowedHosts, Refusal};
pub use upstream::{Upstream, UpstreamConfig};

#[cfg(test)]
mod tests;
