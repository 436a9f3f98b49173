//! What is kept of a revision: who, when, why, and the contents it is made of.

use std::collections::BTreeMap;

use hull_provenance::Signature;
use serde::{Deserialize, Serialize};

use super::content::Content;

/// One revision of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The app.
    pub app: String,
    /// Counts from 1 per app, without gaps.
    pub revision: u64,
    /// When it was committed, in the form of RFC 3339.
    pub time: String,
    /// Who committed it: the name of a token.
    pub by: String,
    /// Why, as the one who deployed says; may be empty.
    pub message: String,
    /// The revision whose content it has again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// Whom it breaks by contract, where it was deployed all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<String>,
    /// The app's own version, as its manifest says; may be empty.
    pub version: String,
    /// The manifest.
    pub manifest: FileRecord,
    /// Each component's version.
    pub components: BTreeMap<String, ComponentRecord>,
    /// Whose key has signed each, where the host asked for that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signed_by: BTreeMap<String, String>,
    /// What else the manifest names: migrations, and files that components read.
    pub files: Vec<FileRecord>,
    /// The values of variables that came with the deployment. Secret ones are never among them.
    pub variables: BTreeMap<String, String>,
}

/// A file of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its path below the folder of the manifest.
    pub path: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// What is in it.
    pub sha256: Content,
}

/// A component of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRecord {
    /// Its length, in bytes.
    pub bytes: u64,
    /// What is in it.
    pub sha256: Content,
    /// Where it comes from, as the one who deployed says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The signature that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl Record {
    /// Every content that the revision needs.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &Content> {
        let files = std::iter::once(&self.manifest).chain(&self.files).map(|file| &file.sha256);
        files.chain(self.components.values().map(|component| &component.sha256))
    }
}
