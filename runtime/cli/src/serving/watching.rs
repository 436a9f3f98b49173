//! `hull up --watch`: builds again when what was built from changes, and swaps when what runs has changed. What serves
//! goes on until the new version is ready, and stays if it never is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use hull_control::{Node, chosen_files, contract_files};
use hull_manifest::App;
use hull_provenance::Signature;
use hull_threads::aside;

use crate::fetching;
use crate::manifest_files::{self, Loaded};

/// How often files are looked at. A change is acted upon when nothing has changed from one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Files that are looked at; in a larger project only so many are.
const FILES_MAX: usize = 50_000;
/// How deep folders are searched.
const DEPTH_MAX: usize = 32;

/// What is to be watched.
#[derive(Debug, Clone)]
pub(crate) struct Watching {
    /// The manifest.
    file: PathBuf,
    /// The host's configuration, as it was named.
    config: Option<PathBuf>,
    /// What was acted upon.
    acted_on: Files,
}

/// When each file was changed, and how long it is.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The two kinds of files: those that are built from, and those that run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Files {
    inputs: Seen,
    outputs: Seen,
}

impl Watching {
    /// What changes from now on is to be acted upon: to be called before anything is built or read.
    pub(crate) fn begin(file: &Path, config: Option<&Path>) -> Self {
        let file = manifest_files::manifest_path(file);
        let acted_on = look_now(&file);
        Self { file, config: config.map(Path::to_owned), acted_on }
    }

    /// What was there to build from has been built.
    pub(crate) fn on_built(&mut self) {
        self.acted_on.outputs = look_now(&self.file).outputs;
    }
}

/// Until the host stops.
pub(crate) async fn watch(node: Arc<Node>, watching: Watching) {
    let mut acted_on = watching.acted_on.clone();
    let mut before = acted_on.clone();
    loop {
        tokio::time::sleep_until((hull_clock::now() + LOOK_EVERY).into()).await;
        let now = look(&watching).await;
        let is_settled = now == before;
        before = now.clone();
        if !is_settled || now == acted_on {
            continue;
        }
        if now.inputs != acted_on.inputs {
            build(&watching).await;
            // What it has made is what to swap, and not a change of its own.
            before = look(&watching).await;
        }
        if before.outputs != acted_on.outputs {
            swap(&node, &watching).await;
        }
        acted_on = Files { inputs: now.inputs, outputs: before.outputs.clone() };
    }
}

async fn build(watching: &Watching) {
    let file = watching.file.clone();
    let built = hull_threads::blocking(move || crate::build::build_all(&file)).await;
    if let Ok(Err(error)) = built {
        tracing::error!("what serves stays: {error:#}");
    }
}

async fn swap(node: &Arc<Node>, watching: &Watching) {
    let began = hull_clock::now();
    let (file, config) = (watching.file.clone(), watching.config.clone());
    // What is fetched is hashed and written as it comes.
    let loaded = aside(async move {
        let Loaded { mut app, base, .. } = manifest_files::load(&file, config.as_deref())?;
        fetching::bring_here(&mut app).await?;
        anyhow::Ok((app, base))
    });
    let swapped = match loaded.await {
        Ok(Ok((app, base))) => node.deploy(app, &base).await.map_err(anyhow::Error::from),
        Ok(Err(error)) => Err(error),
        Err(error) => Err(error.into()),
    };
    match swapped {
        Ok(_) => {
            let took_ms = hull_clock::now().saturating_duration_since(began).as_millis() as u64;
            tracing::info!(took_ms, "swapped: what has changed serves");
        }
        Err(error) => tracing::error!("what serves stays: {error:#}"),
    }
}

async fn look(watching: &Watching) -> Files {
    let file = watching.file.clone();
    hull_threads::blocking(move || look_now(&file)).await.unwrap_or_default()
}

/// Look at everything. A manifest that is wrong is a file that has changed, and no more than that. Blocks.
fn look_now(file: &Path) -> Files {
    let mut files = Files::default();
    note(&mut files.outputs, file);
    if let Ok((app, base)) = manifest_files::load_unbuilt(file) {
        look_at(&app, &base, &mut files);
    }
    files
}

fn look_at(app: &App, base: &Path, files: &mut Files) {
    for component in &app.components {
        if let Some(file) = component.source.file() {
            let file = base.join(file);
            note(&mut files.outputs, &Signature::path_of(&file));
            note(&mut files.outputs, &file);
        }
        // Wrong patterns are told when it is deployed.
        for path in chosen_files(component, base, None).unwrap_or_default() {
            note(&mut files.outputs, &base.join(path));
        }
        for path in contract_files(component, base).unwrap_or_default() {
            note(&mut files.outputs, &base.join(path));
        }
        let migrations =
            component.hull.migrations.iter().filter_map(|folder| std::fs::read_dir(base.join(folder)).ok());
        migrations.flatten().flatten().for_each(|entry| note(&mut files.outputs, &entry.path()));
        let Some(build) = component.build.as_ref().filter(|build| !build.watch.is_empty()) else { continue };
        let root = base.join(build.workdir.as_deref().unwrap_or("."));
        if let Some(wanted) = globs(&build.watch) {
            walk(&root, &root, &wanted, 0, &mut files.inputs);
        }
    }
}

fn globs(patterns: &[String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build().ok()?);
    }
    set.build().ok()
}

fn walk(root: &Path, folder: &Path, wanted: &GlobSet, depth: usize, into: &mut Seen) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if into.len() >= FILES_MAX {
            return;
        }
        let (path, kind) = (entry.path(), entry.file_type());
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        match kind {
            Ok(kind) if kind.is_dir() && !is_hidden && depth < DEPTH_MAX => walk(root, &path, wanted, depth + 1, into),
            Ok(kind) if kind.is_file() => {
                if path.strip_prefix(root).is_ok_and(|path| wanted.is_match(path)) {
                    note(into, &path);
                }
            }
            _ => {}
        }
    }
}

fn note(seen: &mut Seen, path: &Path) {
    let found = std::fs::metadata(path).ok();
    let changed = found.as_ref().and_then(|found| found.modified().ok());
    seen.insert(path.to_owned(), (changed, found.map_or(0, |found| found.len())));
}
