//! The running host: what a manifest describes becomes something that serves, and the admin interface shows it.

mod admin;
mod audit;
mod deploy;
mod deployments;
mod durable;
mod error;
mod flags;
mod node;
mod revisions;
mod rollouts;
mod routes;

pub use admin::{AdminConfig, AdminError, AdminServer, Role, Tokens};
pub use audit::{AuditError, AuditReport, Entry, Flaw, verify_audit};
pub use deploy::bytes::COMPONENT_BYTES_MAX;
pub use deploy::contracts::{contract_files, contract_problems, read_contract};
pub use deploy::files::chosen_files;
pub use deploy::migrations::read_migrations;
pub use deploy::unenforced::{Unenforced, unenforced};
pub use deploy::{Deployed, Served};
pub use deployments::restoring::Restored;
pub use deployments::{DeploymentError, Deployments};
pub use error::{ComponentProblem, DeployFailed};
pub use node::stores::dialect;
pub use node::{Node, NodeConfig, NodeError, Preparing};
pub use revisions::{ComponentRecord, Content, FileRecord, Record, RolloutPlan, ShadowPlan, UPLOAD_FORMAT, UploadHead};
pub use routes::public_routes::{Answers, PublicRoute, public_routes};
