//! `files`: what a component may read is copied at deployment, so that it belongs to what was deployed and nothing
//! outside it can be reached by a link.

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
/// How deep folders may nest.
const DEPTH_MAX: usize = 32;

/// Copy a component's files into `target` (emptied before) and say where its guests see them. Reads and writes
/// files: not for the serving threads.
pub(crate) fn copy_files(component: &Component, base: &Path, target: &Path) -> Result<Vec<Mount>, ComponentProblem> {
    if component.files.is_empty() {
        return Ok(Vec::new());
    }
    let problem = |what: String| ComponentProblem::new(&component.name, format!("`files`: {what}"));
    let excluded = globs(&component.exclude_files).map_err(&problem)?;
    let failed = |error: io::Error| problem(error.to_string());
    if target.exists() {
        std::fs::remove_dir_all(target).map_err(failed)?;
    }
    std::fs::create_dir_all(target).map_err(failed)?;
    let base_dir = Dir::open_ambient_dir(base, ambient_authority()).map_err(failed)?;
    let target_dir = Dir::open_ambient_dir(target, ambient_authority()).map_err(failed)?;
    let mut copying = Copying { base: &base_dir, target: &target_dir, excluded, files: 0, bytes: 0 };
    for mount in &component.files {
        let copied = match mount {
            FileMount::Glob(pattern) => copying.matching(pattern),
            FileMount::Placed { source, destination } => copying.placed(source, destination),
        };
        copied.map_err(|error| problem(error.to_string()))?;
    }
    Ok(vec![Mount { host: target.to_owned(), guest: "/".to_owned() }])
}

fn globs(patterns: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(|error| error.to_string())?);
    }
    set.build().map_err(|error| error.to_string())
}

struct Copying<'a> {
    base: &'a Dir,
    target: &'a Dir,
    excluded: GlobSet,
    files: usize,
    bytes: u64,
}

impl Copying<'_> {
    /// Every file that matches, under its own path.
    fn matching(&mut self, pattern: &str) -> io::Result<()> {
        let wanted = globs(&[pattern.to_owned()]).map_err(io::Error::other)?;
        let start = pattern.split(['*', '?', '[', '{']).next().unwrap_or_default();
        let start = match start.rfind('/') {
            Some(end) => &start[..end],
            None => ".",
        };
        let before = self.files;
        self.walk(Path::new(start), 0, &mut |path| wanted.is_match(path).then(|| path.to_owned()))?;
        if self.files == before {
            return Err(io::Error::other(format!("\"{pattern}\" matches no file")));
        }
        Ok(())
    }

    /// A file or a folder, at another place.
    fn placed(&mut self, source: &str, destination: &str) -> io::Result<()> {
        let destination = destination.trim_start_matches('/');
        let named = |error: io::Error| io::Error::other(format!("\"{source}\": {error}"));
        if self.base.metadata(source).map_err(named)?.is_file() {
            return self.copy(Path::new(source), Path::new(destination));
        }
        let root = normal(Path::new(source));
        let place = |path: &Path| path.strip_prefix(&root).ok().map(|rest| Path::new(destination).join(rest));
        self.walk(Path::new(source), 0, &mut { place })
    }

    fn walk(
        &mut self,
        folder: &Path,
        depth: usize,
        place: &mut dyn FnMut(&Path) -> Option<PathBuf>,
    ) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other(format!("folders nest deeper than {DEPTH_MAX}")));
        }
        for entry in self.base.read_dir(folder)? {
            let entry = entry?;
            let path = normal(&folder.join(entry.file_name()));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.walk(&path, depth + 1, place)?;
            } else if kind.is_file()
                && !self.excluded.is_match(&path)
                && let Some(destination) = place(&path)
            {
                self.copy(&path, &destination)?;
            }
        }
        Ok(())
    }

    fn copy(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.files += 1;
        self.bytes += self.base.metadata(from)?.len();
        if self.files > FILES_MAX || self.bytes > FILES_BYTES_MAX {
            let most = FILES_BYTES_MAX >> 20;
            return Err(io::Error::other(format!("more than {FILES_MAX} files or {most} MiB")));
        }
        if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.target.create_dir_all(parent)?;
        }
        self.base.copy(from, self.target, to).map(|_| ())
    }
}

/// Without `.`: as globs are written.
fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, PathPart::CurDir)).collect()
}
