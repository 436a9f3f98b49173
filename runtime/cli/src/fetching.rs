//! Brings the components of an app to this machine that are elsewhere. Whoever deploys or runs an app does so, before
//! anything else: a host takes bytes and never asks anybody for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use hull_control::COMPONENT_BYTES_MAX;
use hull_manifest::{App, Name, Source};
use hull_provenance::{Fetched, Fetcher, Remote};

use crate::progress::Progress;

/// Fetch what is not in files. From then on the app names files alone; where each of its components comes from is told.
pub(crate) async fn bring_here(app: &mut App) -> anyhow::Result<BTreeMap<Name, String>> {
    let is_elsewhere = |source: &Source| source.file().is_none();
    let elsewhere = app.components.iter().filter(|component| is_elsewhere(&component.source)).count();
    let mut origins = BTreeMap::new();
    let progress = (elsewhere > 0).then(|| Progress::new(elsewhere, true));
    for component in &mut app.components {
        let mut origin = component.source.to_string();
        if let (Some(remote), Some(progress)) = (Remote::of(&component.source), &progress) {
            let step = progress.begin(&format!("fetching {} from {origin}", component.name));
            let fetched = fetch(&remote).await;
            step.end(&format!("{} {}", if fetched.is_ok() { "fetched" } else { "could not fetch" }, component.name));
            let Fetched { path, source } = fetched.with_context(|| format!("component {}", component.name))?;
            component.source = Source::File(path.display().to_string());
            origin = source;
        }
        origins.insert(component.name.clone(), origin);
    }
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok(origins)
}

/// Fetch one component.
pub(crate) async fn fetch(remote: &Remote) -> anyhow::Result<Fetched> {
    Ok(Fetcher::new(folder()?, COMPONENT_BYTES_MAX).fetch(remote).await?)
}

/// Where what was fetched is kept for the next time; it may be deleted at any time.
fn folder() -> anyhow::Result<PathBuf> {
    let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
    let cache = cache.context("there is no folder for what is fetched: set XDG_CACHE_HOME or HOME")?;
    Ok(cache.join("hull").join("components"))
}
