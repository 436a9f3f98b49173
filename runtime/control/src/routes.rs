//! Where requests lead: the routes of every app, to a component or an upstream with what holds there.

pub(crate) mod public_routes;
pub(crate) mod targets;
pub(crate) mod upstreams;
