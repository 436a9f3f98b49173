//! `files`: what a component may read is copied at deployment, so that it belongs to what was deployed and nothing
//! outside it can be reached by a link. The command line asks here which files those are, to send them.

use std::io;
use std::path::{Component as PathPart, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use hull_engine::Mount;
use hull_manifest::{Component, FileMount};

use crate::error::ComponentProblem;

/// All files of one component together, in bytes.
const FILES_BYTES_MAX: u64 = 512 << 20;
/// Files of one component.
const FILES_MAX: usize = 10_000;
/// Files and folders that are looked at for one component.
const ENTRIES_MAX: usize = 200_000;
/// How deep folders may nest.
const DEPTH_MAX: usize = 32;

/// Where files come from and go to.
pub(crate) struct FilePlaces<'a> {
    /// The folder of the manifest; nothing above it can be named.
    pub(crate) base: &'a Path,
    /// The host's own folder, of which nothing is ever copied, where the base is somebody else's.
    pub(crate) state_dir: Option<&'a Path>,
    /// Where to; made anew.
    pub(crate) target: &'a Path,
}

/// Copy a component's files and say where its guests see them. Reads and writes files: not for the serving threads.
pub(crate) fn copy_files(component: &Component, places: &FilePlaces<'_>) -> Result<Vec<Mount>, ComponentProblem> {
    if component.files.is_empty() {
        return Ok(Vec::new());
    }
    let problem = |what: String| ComponentProblem::new(&component.name, format!("`files`: {what}"));
    let failed = |error: io::Error| problem(error.to_string());
    let target = places.target;
    if target.exists() {
        std::fs::remove_dir_all(target).map_err(failed)?;
    }
    std::fs::create_dir_all(target).map_err(failed)?;
    let target_dir = Dir::open_ambient_dir(target, ambient_authority()).map_err(failed)?;
    choose(component, places.base, places.state_dir, &mut |base, from, to| {
        if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            target_dir.create_dir_all(parent)?;
        }
        base.copy(from, &target_dir, to).map(|_| ())
    })?;
    Ok(vec![Mount { host: target.to_owned(), guest: "/".to_owned() }])
}

/// The files that a component's `files` choose, by their paths below the folder of the manifest. `state_dir` is a
/// folder of which none is ever chosen.
pub fn chosen_files(
    component: &Component,
    base: &Path,
    state_dir: Option<&Path>,
) -> Result<Vec<PathBuf>, ComponentProblem> {
    let mut chosen = Vec::new();
    choose(component, base, state_dir.filter(|folder| folder.exists()), &mut |_, from, _| {
        chosen.push(normal(from));
        Ok(())
    })?;
    Ok(chosen)
}

/// Is told of each file: the folder of the manifest, the path in it, and the path where guests see it.
type Take<'a> = &'a mut dyn FnMut(&Dir, &Path, &Path) -> io::Result<()>;

fn choose(
    component: &Component,
    base: &Path,
    state_dir: Option<&Path>,
    take: Take<'_>,
) -> Result<(), ComponentProblem> {
    let problem = |what: String| ComponentProblem::new(&component.name, format!("`files`: {what}"));
    let excluded = globs(&component.exclude_files).map_err(&problem)?;
    let failed = |error: io::Error| problem(error.to_string());
    let base = std::fs::canonicalize(base).map_err(failed)?;
    let state_dir = state_dir.map(std::fs::canonicalize).transpose().map_err(failed)?;
    let base_dir = Dir::open_ambient_dir(&base, ambient_authority()).map_err(failed)?;
    let named_hidden = GlobSet::empty();
    let (base_path, state_dir) = (base.as_path(), state_dir.as_deref());
    let mut choosing = Choosing {
        base: &base_dir,
        base_path,
        state_dir,
        take,
        excluded,
        named_hidden,
        entries: 0,
        files: 0,
        bytes: 0,
    };
    for mount in &component.files {
        let chosen = match mount {
            FileMount::Glob(pattern) => choosing.matching(pattern),
            FileMount::Placed { source, destination } => choosing.placed(source, destination),
        };
        chosen.map_err(failed)?;
    }
    Ok(())
}

fn globs<'a>(patterns: impl IntoIterator<Item = &'a (impl AsRef<str> + 'a)>) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern.as_ref()).literal_separator(true).build();
        set.add(glob.map_err(|error| error.to_string())?);
    }
    set.build().map_err(|error| error.to_string())
}

struct Choosing<'a> {
    base: &'a Dir,
    base_path: &'a Path,
    state_dir: Option<&'a Path>,
    take: Take<'a>,
    excluded: GlobSet,
    /// Names with a dot in front that the pattern itself writes.
    named_hidden: GlobSet,
    entries: usize,
    files: usize,
    bytes: u64,
}

impl Choosing<'_> {
    /// Every file that matches, under its own path.
    fn matching(&mut self, pattern: &str) -> io::Result<()> {
        let invalid = |what: String| io::Error::other(format!("\"{pattern}\": {what}"));
        let wanted = globs(&[pattern]).map_err(invalid)?;
        let hidden: Vec<&str> = pattern.split('/').filter(|name| is_hidden(name)).collect();
        self.named_hidden = globs(&hidden).map_err(invalid)?;
        let start = pattern.split(['*', '?', '[', '{']).next().unwrap_or_default();
        let start = match start.rfind('/') {
            Some(end) => &start[..end],
            None => ".",
        };
        let before = self.files;
        self.check_root(start).map_err(|error| invalid(error.to_string()))?;
        self.walk(Path::new(start), 0, &mut |path| wanted.is_match(path).then(|| path.to_owned()))?;
        if self.files == before {
            return Err(invalid("it matches no file; names that begin with a dot must be written out".to_owned()));
        }
        Ok(())
    }

    /// A file or a folder, at another place.
    fn placed(&mut self, source: &str, destination: &str) -> io::Result<()> {
        self.named_hidden = GlobSet::empty();
        let destination = destination.trim_start_matches('/');
        let named = |error: io::Error| io::Error::other(format!("\"{source}\": {error}"));
        let metadata = self.base.metadata(source).map_err(named)?;
        self.check_root(source).map_err(named)?;
        if metadata.is_file() {
            return self.take(Path::new(source), Path::new(destination));
        }
        let root = normal(Path::new(source));
        let place = |path: &Path| path.strip_prefix(&root).ok().map(|rest| Path::new(destination).join(rest));
        self.walk(Path::new(source), 0, &mut { place })
    }

    /// What is named outright, by whatever links, lies below the base and not in the state directory.
    fn check_root(&self, named: &str) -> io::Result<()> {
        let path = std::fs::canonicalize(self.base_path.join(named))?;
        if !path.starts_with(self.base_path) {
            return Err(io::Error::other("it lies outside the folder of the manifest"));
        }
        if self.state_dir.is_some_and(|state_dir| path.starts_with(state_dir)) {
            return Err(io::Error::other("it lies in the host's state directory"));
        }
        Ok(())
    }

    fn walk(&mut self, folder: &Path, depth: usize, place: &mut dyn FnMut(&Path) -> Option<PathBuf>) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other(format!("folders nest deeper than {DEPTH_MAX}")));
        }
        for entry in self.base.read_dir(folder)? {
            let entry = entry?;
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                let what = format!("more than {ENTRIES_MAX} files lie where it looks; name a folder");
                return Err(io::Error::other(what));
            }
            let name = entry.file_name();
            if is_hidden(&name.to_string_lossy()) && !self.named_hidden.is_match(&name) {
                continue;
            }
            let path = normal(&folder.join(name));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !self.is_state_dir(&path) {
                    self.walk(&path, depth + 1, place)?;
                }
            } else if kind.is_file()
                && !self.excluded.is_match(&path)
                && let Some(destination) = place(&path)
            {
                self.take(&path, &destination)?;
            }
        }
        Ok(())
    }

    /// Links in the part that the manifest names are resolved; below it none is followed.
    fn is_state_dir(&self, path: &Path) -> bool {
        let Some(state_dir) = self.state_dir else { return false };
        std::fs::canonicalize(self.base_path.join(path)).is_ok_and(|path| path == state_dir)
    }

    fn take(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.files += 1;
        self.bytes += self.base.metadata(from)?.len();
        if self.files > FILES_MAX || self.bytes > FILES_BYTES_MAX {
            let most = FILES_BYTES_MAX >> 20;
            return Err(io::Error::other(format!("more than {FILES_MAX} files or {most} MiB")));
        }
        (self.take)(self.base, from, to)
    }
}

/// Without `.`: as globs are written.
fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, PathPart::CurDir)).collect()
}

/// Names that begin with a dot: version control, tools, secrets.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') && name != "." && name != ".."
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
