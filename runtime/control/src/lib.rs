//! The running host: what a manifest describes becomes something that serves, and the admin interface shows it.

mod admin;
mod bus;
mod bytes;
mod component;
mod deploy;
mod error;
mod files;
mod migrations;
mod node;
mod observe;
mod prepare;
mod public_routes;
mod reserve;
mod resources;
mod stores;
mod targets;
mod unenforced;

pub use admin::{AdminConfig, AdminError, AdminServer, Token};
pub use bytes::COMPONENT_BYTES_MAX;
pub use deploy::{Deployed, Served};
pub use error::{ComponentProblem, DeployFailed};
pub use migrations::read_migrations;
pub use node::{Node, NodeConfig, NodeError, Preparing};
pub use public_routes::{PublicRoute, public_routes};
pub use stores::dialect;
pub use unenforced::{Unenforced, unenforced};
