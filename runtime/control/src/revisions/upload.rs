//! Receiving a revision: one line of JSON that says what comes, then the bytes of each content in that order. Written
//! to a folder of its own as it comes, checked against its digests, and gone with the folder unless it is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hull_manifest::Name;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::content::Content;
use super::record::{ComponentRecord, FileRecord};
use super::rollout::RolloutPlan;

/// The format that [`UploadHead`] describes.
pub const UPLOAD_FORMAT: u32 = 1;
/// The line that says what comes, in bytes.
const HEAD_BYTES_MAX: usize = 8 << 20;
/// Files of one revision.
const FILES_MAX: usize = 20_000;
/// All contents of one revision, in bytes.
const CONTENT_BYTES_MAX: u64 = 1 << 30;
/// A path, in bytes.
const PATH_BYTES_MAX: usize = 1024;
/// One name in a path, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Why it is deployed, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Where a component comes from, in bytes.
const SOURCE_BYTES_MAX: usize = 2048;
/// Values of variables, each in bytes.
const VALUE_BYTES_MAX: usize = 64 << 10;
/// How long nothing may come.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long it may take in all.
const UPLOAD_TIME_MAX: Duration = Duration::from_mins(15);
/// What is gathered before it is written, in bytes.
const WRITE_BYTES: usize = 256 << 10;

/// The first line of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UploadHead {
    /// [`UPLOAD_FORMAT`].
    pub format: u32,
    /// The manifest; without it components of what serves are replaced.
    pub manifest: Option<FileRecord>,
    /// Each component; without a manifest those that are replaced.
    pub components: BTreeMap<String, ComponentRecord>,
    /// What else the manifest names.
    pub files: Vec<FileRecord>,
    /// The values of variables.
    pub variables: BTreeMap<String, String>,
    /// Why.
    pub message: String,
    /// The revision that must be the last one, if that matters.
    pub if_revision: Option<u64>,
    /// Whether it is deployed although it breaks those who rely on what it changes.
    pub force: bool,
    /// How it is tried before it serves everybody, if it is.
    pub rollout: Option<RolloutPlan>,
}

impl UploadHead {
    /// The contents in the order in which their bytes follow, each once: its name for people, its length and digest.
    pub fn contents(&self) -> Vec<(&str, u64, &Content)> {
        fn of_file(file: &FileRecord) -> (&str, u64, &Content) {
            (&file.path, file.bytes, &file.sha256)
        }
        let manifest = self.manifest.iter().map(of_file);
        let components = self.components.iter().map(|(name, one)| (name.as_str(), one.bytes, &one.sha256));
        let mut seen = BTreeSet::new();
        let all = manifest.chain(components).chain(self.files.iter().map(of_file));
        all.filter(|(_, _, sha256)| seen.insert(*sha256)).collect()
    }

    fn check(&self) -> Result<(), UploadError> {
        let invalid = |what: String| Err(UploadError::Invalid(what));
        if self.format != UPLOAD_FORMAT {
            return invalid(format!("its format is {}, this host knows {UPLOAD_FORMAT}", self.format));
        }
        if self.manifest.is_none() && (self.components.is_empty() || !self.files.is_empty()) {
            return invalid("without a manifest it has components and no files".to_owned());
        }
        let files = self.files.len() + self.components.len();
        if files > FILES_MAX {
            return Err(UploadError::TooLarge(format!("{files} files; {FILES_MAX} are the most")));
        }
        if self.message.len() > MESSAGE_BYTES_MAX || self.message.contains('\0') {
            return invalid(format!("its message has more than {MESSAGE_BYTES_MAX} bytes"));
        }
        if self.variables.values().any(|value| value.len() > VALUE_BYTES_MAX) {
            return invalid(format!("the value of a variable has more than {VALUE_BYTES_MAX} bytes"));
        }
        let is_source = |text: &str| text.len() <= SOURCE_BYTES_MAX && !text.contains(char::is_control);
        if self.components.values().any(|component| !is_source(&component.source)) {
            return invalid(format!("the source of a component is no text of {SOURCE_BYTES_MAX} bytes at the most"));
        }
        let mut lengths = BTreeMap::new();
        let files = self.manifest.iter().chain(&self.files).map(|file| (&file.sha256, file.bytes));
        let all = files.chain(self.components.values().map(|component| (&component.sha256, component.bytes)));
        for (sha256, bytes) in all {
            if *lengths.entry(sha256).or_insert(bytes) != bytes {
                return invalid(format!("the content {sha256} has two lengths"));
            }
        }
        let total = self.contents().iter().fold(0_u64, |sum, (_, bytes, _)| sum.saturating_add(*bytes));
        if total > CONTENT_BYTES_MAX {
            let most = CONTENT_BYTES_MAX >> 20;
            return Err(UploadError::TooLarge(format!("{total} bytes; {most} MiB are the most")));
        }
        if let Some(wrong) = self.components.keys().find(|name| name.parse::<Name>().is_err()) {
            return invalid(format!("{wrong:?} cannot be the name of a component"));
        }
        check_paths(&self.files)
    }
}

/// Every path stays below the folder that it is laid out in, and none is in the way of another.
fn check_paths(files: &[FileRecord]) -> Result<(), UploadError> {
    let mut paths: Vec<&str> = Vec::with_capacity(files.len());
    for file in files {
        let is_name = |name: &str| {
            !matches!(name, "" | "." | "..")
                && name.len() <= NAME_BYTES_MAX
                && !name.contains(|character: char| character.is_control() || character == '\\')
        };
        if file.path.len() > PATH_BYTES_MAX || !file.path.split('/').all(is_name) {
            let shown: String = file.path.chars().take(100).collect();
            return Err(UploadError::Invalid(format!("{shown:?} is no path below the folder of the manifest")));
        }
        paths.push(&file.path);
    }
    let known: BTreeSet<&str> = paths.iter().copied().collect();
    let folders = paths.iter().flat_map(|path| path.match_indices('/').filter_map(|(at, _)| path.get(..at)));
    let clash = folders.into_iter().find(|folder| known.contains(folder));
    match clash {
        Some(clash) => Err(UploadError::Invalid(format!("{clash:?} is a file and a folder"))),
        None if known.len() < paths.len() => Err(UploadError::Invalid("a path is there twice".to_owned())),
        None => Ok(()),
    }
}

/// Why an upload is not taken. Nothing of it stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// It is more than is taken.
    #[error("the upload is too large: {0}")]
    TooLarge(String),
    /// It is not what an upload is.
    #[error("the upload is not valid: {0}")]
    Invalid(String),
    /// It ended early, or went silent.
    #[error("the upload broke off: {0}; nothing was changed, send it again")]
    BrokeOff(String),
    /// It cannot be written.
    #[error("the upload cannot be kept: {0}; nothing was changed")]
    Io(#[from] io::Error),
}

/// Where uploads are received.
#[derive(Clone)]
pub(crate) struct UploadPlaces(pub(crate) PathBuf);

/// What was received. Dropping it removes it.
pub(crate) struct Draft {
    pub(crate) head: UploadHead,
    folder: PathBuf,
}

impl Draft {
    /// A draft without any upload: of what is kept already.
    pub(crate) fn empty(places: &UploadPlaces) -> io::Result<Self> {
        let folder = places.0.join(hull_clock::time_ordered_id().to_string());
        let draft = Self { head: UploadHead::default(), folder };
        std::fs::create_dir_all(draft.contents())?;
        std::fs::create_dir(draft.tree())?;
        Ok(draft)
    }

    /// Whether somebody has sent it.
    pub(crate) fn was_sent(&self) -> bool {
        self.head.format == UPLOAD_FORMAT
    }

    /// The folder with its contents, by their digests.
    pub(crate) fn contents(&self) -> PathBuf {
        self.folder.join("contents")
    }

    /// The folder to lay its files out in.
    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Where to lay a component out.
    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.folder.join("components").join(format!("{name}.wasm"))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, path = %self.folder.display(), "what was received could not be removed");
        }
    }
}

/// Receive an upload: bounded in size and time, and compared with what its head says. Writes files and waits until they are
/// on the disk: not for the serving threads.
pub(crate) async fn receive<B>(body: B, places: &UploadPlaces) -> Result<Draft, UploadError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let received = tokio::time::timeout(UPLOAD_TIME_MAX, receive_all(body, places)).await;
    received.unwrap_or_else(|_| Err(UploadError::BrokeOff(format!("it took more than {UPLOAD_TIME_MAX:?}"))))
}

async fn receive_all<B>(body: B, places: &UploadPlaces) -> Result<Draft, UploadError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut coming = Coming { body, ahead: Bytes::new() };
    let line = coming.line().await?;
    let head: UploadHead = serde_json::from_slice(&line)
        .map_err(|error| UploadError::Invalid(format!("its first line says not what comes: {error}")))?;
    head.check()?;
    let mut draft = Draft::empty(places)?;
    draft.head = head;
    let folder = draft.contents();
    for (name, bytes, content) in draft.head.contents() {
        let path = folder.join(content.as_str());
        let hash = receive_one(&mut coming, name, bytes, &path).await?;
        if Content::of_hash(hash) != *content {
            return Err(UploadError::Invalid(format!("{name} is not what its digest says")));
        }
    }
    if coming.next().await?.is_some() {
        return Err(UploadError::Invalid("more comes than its first line says".to_owned()));
    }
    Ok(draft)
}

async fn receive_one<B>(coming: &mut Coming<B>, name: &str, bytes: u64, path: &Path) -> Result<Sha256, UploadError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let opened = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let mut writer = BufWriter::with_capacity(WRITE_BYTES, opened);
    let mut hash = Sha256::new();
    let mut left = bytes;
    while left > 0 {
        let Some(piece) = coming.at_most(left).await? else {
            return Err(UploadError::BrokeOff(format!("{left} bytes of {name} are missing")));
        };
        left -= piece.len() as u64;
        hash.update(&piece);
        writer.write_all(&piece)?;
    }
    writer.flush()?;
    writer.get_ref().sync_all()?;
    Ok(hash)
}

/// The bytes of a body, as they come.
struct Coming<B> {
    body: B,
    ahead: Bytes,
}

impl<B> Coming<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, UploadError> {
        if !self.ahead.is_empty() {
            return Ok(Some(std::mem::take(&mut self.ahead)));
        }
        loop {
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame()).await;
            let frame = frame.map_err(|_| UploadError::BrokeOff(format!("nothing came for {SILENCE_MAX:?}")))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| UploadError::BrokeOff(error.to_string()))?;
            match frame.into_data() {
                Ok(data) if !data.is_empty() => return Ok(Some(data)),
                _ => {}
            }
        }
    }

    async fn at_most(&mut self, bytes: u64) -> Result<Option<Bytes>, UploadError> {
        let Some(mut piece) = self.next().await? else { return Ok(None) };
        let most = usize::try_from(bytes).unwrap_or(usize::MAX);
        if piece.len() > most {
            self.ahead = piece.split_off(most);
        }
        Ok(Some(piece))
    }

    async fn line(&mut self) -> Result<Bytes, UploadError> {
        let mut line = BytesMut::new();
        loop {
            let Some(mut piece) = self.next().await? else {
                return Err(UploadError::BrokeOff("its first line has no end".to_owned()));
            };
            if let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&piece.split_to(end));
                piece.advance(1);
                self.ahead = piece;
                if line.len() <= HEAD_BYTES_MAX {
                    return Ok(line.freeze());
                }
            } else {
                line.extend_from_slice(&piece);
            }
            if line.len() > HEAD_BYTES_MAX {
                return Err(UploadError::TooLarge(format!("its first line has more than {HEAD_BYTES_MAX} bytes")));
            }
        }
    }
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
