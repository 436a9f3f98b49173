//! What is sent of an app: its manifest, its components, its migrations and the files that its components read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Component as PathPart, Path, PathBuf};

use anyhow::{Context as _, bail};
use hull_control::{
    COMPONENT_BYTES_MAX, ComponentRecord, Content, FileRecord, UPLOAD_FORMAT, UploadHead, chosen_files, contract_files,
};
use hull_manifest::{App, Component, Digest, Name};
use hull_provenance::{Fetched, Reference, Remote, Signature};
use sha2::{Digest as _, Sha256};

use super::sending::Sending;
use crate::admin::RequestBody;
use crate::fetching::{bring_here, fetch};
use crate::manifest_files::{ToSend, load_to_send, open_regular, state_dir_here, values_here};

/// An app or a part of one, ready to be sent.
pub(super) struct Bundle {
    pub(super) head: UploadHead,
    /// Where the bytes of each content are.
    sources: BTreeMap<Content, Source>,
    /// Variables with a value here that must not leave this machine so.
    pub(super) secrets_left_out: Vec<String>,
}

/// Where bytes come from.
pub(super) enum Source {
    Text(String),
    File(PathBuf),
}

impl Bundle {
    /// Everything that a manifest names.
    pub(super) async fn of_app(file: &Path) -> anyhow::Result<(Name, Self)> {
        let ToSend { mut app, base, text, name } = load_to_send(file)?;
        let mut origins = bring_here(&mut app).await?;
        let mut bundle = Self { head: head(), sources: BTreeMap::new(), secrets_left_out: Vec::new() };
        for component in &app.components {
            let path = base.join(component.source.file().unwrap_or_default());
            let origin = origins.remove(&component.name).unwrap_or_default();
            let sent = bundle.add_component(&component.name, &path, origin);
            sent.with_context(|| format!("component {}: {}", component.name, path.display()))?;
        }
        // What lies where hosts that run here keep their data is never sent.
        let state_dir = state_dir_here()?;
        let mut paths = BTreeSet::new();
        for component in &app.components {
            let chosen = chosen_files(component, &base, Some(&state_dir));
            paths.extend(chosen.map_err(|problem| anyhow::anyhow!("{}: {}", problem.component, problem.message))?);
            paths.extend(migrations(component, &base)?);
            let contract = contract_files(component, &base);
            paths.extend(contract.map_err(|problem| anyhow::anyhow!("{}: {}", problem.component, problem.message))?);
        }
        for path in paths {
            bundle.add_file(&base, &path).with_context(|| path.display().to_string())?;
        }
        let content = Content::of(text.as_bytes());
        bundle.head.manifest = Some(FileRecord { path: name, bytes: text.len() as u64, sha256: content.clone() });
        bundle.sources.insert(content, Source::Text(text));
        bundle.add_variables(&app)?;
        Ok((app.name, bundle))
    }

    /// A new version of one component.
    pub(super) async fn of_component(
        component: &Name,
        wasm: &Reference,
        digest: Option<&Digest>,
    ) -> anyhow::Result<Self> {
        let mut bundle = Self { head: head(), sources: BTreeMap::new(), secrets_left_out: Vec::new() };
        let remote = match (wasm, digest) {
            (Reference::File(_), None) => None,
            (Reference::Url(url), Some(digest)) => Some(Remote::Url { url: url.clone(), digest: digest.clone() }),
            (Reference::Oci(reference), None) => Some(Remote::Oci(reference.clone())),
            (Reference::Url(_), None) => {
                bail!("what comes from a URL is compared with its digest: add --digest sha256:…")
            }
            (_, Some(_)) => {
                bail!("--digest is for a URL; in a registry, name the manifest's: oci://HOST/REPOSITORY@sha256:…")
            }
        };
        let Fetched { path, source } = match (remote, wasm) {
            (Some(remote), _) => fetch(&remote).await?,
            (None, Reference::File(path)) => Fetched { path: path.clone(), source: path.display().to_string() },
            (None, _) => bail!("there is nothing to deploy"),
        };
        bundle.add_component(component, &path, source).with_context(|| path.display().to_string())?;
        Ok(bundle)
    }

    /// How much is sent, the head apart.
    pub(super) fn bytes(&self) -> u64 {
        self.head.contents().iter().map(|(_, bytes, _)| bytes).sum()
    }

    /// What is sent, read as it goes.
    pub(super) fn into_body(mut self) -> anyhow::Result<RequestBody> {
        let mut line = serde_json::to_string(&self.head)?;
        line.push('\n');
        let bytes = line.len() as u64 + self.bytes();
        let mut parts = vec![Source::Text(line)];
        for (_, _, content) in self.head.contents() {
            parts.extend(self.sources.remove(content));
        }
        Ok(Sending::new(parts, bytes).into_body())
    }

    fn add_component(&mut self, name: &Name, path: &Path, source: String) -> anyhow::Result<()> {
        let (bytes, sha256) = digest(path)?;
        if bytes > COMPONENT_BYTES_MAX {
            bail!("it has {bytes} bytes, and {} MiB is the most", COMPONENT_BYTES_MAX >> 20);
        }
        self.sources.insert(sha256.clone(), Source::File(path.to_owned()));
        let signature = Signature::beside(path)?;
        self.head.components.insert(name.to_string(), ComponentRecord { bytes, sha256, source, signature });
        Ok(())
    }

    fn add_file(&mut self, base: &Path, path: &Path) -> anyhow::Result<()> {
        let from = base.join(path);
        let (bytes, sha256) = digest(&from)?;
        let path = path.to_str().context("its name is not UTF-8")?.to_owned();
        self.sources.insert(sha256.clone(), Source::File(from));
        self.head.files.push(FileRecord { path, bytes, sha256 });
        Ok(())
    }

    fn add_variables(&mut self, app: &App) -> anyhow::Result<()> {
        let mut values = values_here()?;
        for (name, variable) in &app.variables {
            let Some(value) = values.remove(name.as_str()) else { continue };
            if variable.secret {
                self.secrets_left_out.push(name.to_string());
            } else {
                self.head.variables.insert(name.to_string(), value);
            }
        }
        Ok(())
    }
}

fn head() -> UploadHead {
    UploadHead { format: UPLOAD_FORMAT, ..UploadHead::default() }
}

/// The files in the folder that the manifest names.
fn migrations(component: &Component, base: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let Some(folder) = &component.hull.migrations else { return Ok(Vec::new()) };
    let named = || format!("the migrations of component {}: {folder}", component.name);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(base.join(folder)).with_context(named)? {
        let path = Path::new(folder).join(entry.with_context(named)?.file_name());
        paths.push(path.components().filter(|part| !matches!(part, PathPart::CurDir)).collect());
    }
    Ok(paths)
}

/// The length and digest of a file.
fn digest(path: &Path) -> anyhow::Result<(u64, Content)> {
    let mut file: File = open_regular(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut bytes = 0;
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok((bytes, Content::of_hash(hash)));
        }
        bytes += length as u64;
        hash.update(buffer.get(..length).unwrap_or_default());
    }
}
