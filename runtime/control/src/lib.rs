//! The running host: what a manifest describes becomes something that serves, and the admin interface shows it.

mod admin;
mod audit;
mod bus;
mod bytes;
mod claim;
mod component;
mod crash_points;
mod departed;
mod deploy;
mod deployments;
mod durable;
mod error;
mod files;
mod migrations;
mod moves;
mod next_record;
mod node;
mod observe;
mod prepare;
mod public_routes;
mod reserve;
mod resources;
mod restoring;
mod revisions;
mod rollouts;
mod stores;
mod targets;
#[cfg(test)]
mod test_node;
mod unenforced;
mod upstreams;

pub use admin::{AdminConfig, AdminError, AdminServer, Role, Tokens};
pub use audit::{AuditError, AuditReport, Entry, Flaw, verify_audit};
pub use bytes::COMPONENT_BYTES_MAX;
pub use deploy::{Deployed, Served};
pub use deployments::{DeploymentError, Deployments};
pub use error::{ComponentProblem, DeployFailed};
pub use files::chosen_files;
pub use migrations::read_migrations;
pub use node::{Node, NodeConfig, NodeError, Preparing};
pub use public_routes::{Answers, PublicRoute, public_routes};
pub use restoring::Restored;
pub use revisions::{Content, ContentRecord, FileRecord, Record, RolloutPlan, ShadowPlan, UPLOAD_FORMAT, UploadHead};
pub use stores::dialect;
pub use unenforced::{Unenforced, unenforced};
