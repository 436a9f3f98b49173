//! Revisions: every state of an app that was committed, on disk, so that the host comes back with exactly the last one
//! and any other can be had again. Knows files and bytes; what a manifest means is known to others.

mod content;
mod record;
mod removal;
mod rollout;
mod store;
mod upload;
mod whole;

pub use content::Content;
pub use record::{ComponentRecord, FileRecord, Record};
pub(crate) use removal::Removal;
pub(crate) use rollout::RolloutRecord;
pub use rollout::{RolloutPlan, ShadowPlan};
pub(crate) use store::{Store, StoreError};
pub(crate) use upload::{Draft, UploadError, UploadPlaces, receive};
pub use upload::{UPLOAD_FORMAT, UploadHead};
