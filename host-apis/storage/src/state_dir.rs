//! The state directory: whose it is, which format it has, and a folder per component that no name can lead out of.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use hull_invocation::ComponentId;

/// The format of the directory that this version reads and writes.
const FORMAT: &str = "1";
/// The longest name of an app or component as a folder.
const NAME_LENGTH_MAX: usize = 128;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another host has it.
    #[error(
        "the state directory {} belongs to a running host{}; stop it, or give this one another --state-dir",
        path.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Held {
        /// Which directory.
        path: PathBuf,
        /// Which process, as far as it says.
        pid: Option<u32>,
    },
    /// It was written by a version with another format.
    #[error(
        "the state directory {} has format {found:?}, this version of Hull knows {FORMAT:?}; use the version that \
         made it, or another --state-dir",
        path.display()
    )]
    Format {
        /// Which directory.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// A name cannot be a folder.
    #[error("{0:?} cannot be the name of a folder: letters, digits, '-', '_' and '.' can, and not '.' first")]
    Name(String),
    /// The file system failed.
    #[error("the state directory {}: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// A state directory that this process owns until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct StateDir {
    inner: Arc<Owned>,
}

#[derive(Debug)]
struct Owned {
    dir: Dir,
    path: PathBuf,
    _lock: File,
}

/// The folder of one component.
#[derive(Debug, Clone)]
pub struct ComponentDir {
    path: PathBuf,
    /// Keeps the state directory owned for as long as somebody works in it.
    _owner: Option<StateDir>,
}

impl StateDir {
    /// Open a state directory, make it if it is not there, and own it.
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        let fail = |source| StateDirError::Io { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(fail)?;
        let path = path.canonicalize().map_err(fail)?;
        let fail = |source| StateDirError::Io { path: path.clone(), source };
        let dir = Dir::open_ambient_dir(&path, ambient_authority()).map_err(fail)?;
        restrict(&path).map_err(fail)?;
        let lock = lock(&dir, &path)?;
        check_format(&dir, &path)?;
        Ok(Self { inner: Arc::new(Owned { dir, path, _lock: lock }) })
    }

    /// Where it is, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A folder directly in it, made if it is not there: `bus`, `cache`, `revisions`.
    pub fn folder(&self, name: &str) -> Result<(Dir, PathBuf), StateDirError> {
        let path = self.inner.path.join(name);
        let dir = subfolder(&self.inner.dir, name, &path)?;
        Ok((dir, path))
    }

    /// A component's folder, made if it is not there.
    pub fn component(&self, component: &ComponentId) -> Result<ComponentDir, StateDirError> {
        let mut dir = self.inner.dir.try_clone().map_err(|source| self.io(source))?;
        let mut path = self.inner.path.clone();
        for name in ["apps", component.app(), component.component()] {
            path.push(name);
            dir = subfolder(&dir, name, &path)?;
        }
        Ok(ComponentDir { path, _owner: Some(self.clone()) })
    }

    fn io(&self, source: std::io::Error) -> StateDirError {
        StateDirError::Io { path: self.inner.path.clone(), source }
    }
}

impl ComponentDir {
    /// A folder that somebody else takes care of.
    pub fn unowned(path: &Path) -> Result<Self, StateDirError> {
        let canonical = path.canonicalize();
        let path = canonical.map_err(|source| StateDirError::Io { path: path.to_owned(), source })?;
        Ok(Self { path, _owner: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Only its owner may look into it.
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// The lock is the kernel's, so that it goes with the process however that ends; the text in it is for people.
fn lock(dir: &Dir, path: &Path) -> Result<File, StateDirError> {
    let path = path.join("lock");
    let fail = |source| StateDirError::Io { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    let mut file = dir.open_with("lock", &options).map_err(fail)?.into_std();
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = (&mut file).take(32).read_to_string(&mut text);
            let pid = read.ok().and_then(|_| text.trim().parse().ok());
            return Err(StateDirError::Held { path: path.parent().unwrap_or(&path).to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(fail(source)),
    }
    file.set_len(0).map_err(fail)?;
    file.seek(SeekFrom::Start(0)).map_err(fail)?;
    writeln!(file, "{}", std::process::id()).map_err(fail)?;
    Ok(file)
}

fn check_format(dir: &Dir, path: &Path) -> Result<(), StateDirError> {
    let fail = |source| StateDirError::Io { path: path.join("format"), source };
    match dir.read_to_string("format") {
        Ok(found) if found.trim() == FORMAT => Ok(()),
        Ok(found) => {
            let found = found.trim().chars().take(40).collect();
            Err(StateDirError::Format { path: path.to_owned(), found })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Written beside and renamed, so that a crash leaves no empty file, which would be another format.
            dir.write("format.new", format!("{FORMAT}\n")).map_err(fail)?;
            dir.open("format.new").and_then(|file| file.sync_all()).map_err(fail)?;
            dir.rename("format.new", dir, "format").map_err(fail)
        }
        Err(error) => Err(fail(error)),
    }
}

fn subfolder(dir: &Dir, name: &str, path: &Path) -> Result<Dir, StateDirError> {
    let fits = !name.is_empty() && name.len() <= NAME_LENGTH_MAX && !name.starts_with('.');
    if !fits || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(StateDirError::Name(name.to_owned()));
    }
    let fail = |source| StateDirError::Io { path: path.to_owned(), source };
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    match dir.create_dir_with(name, &builder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(fail(error)),
    }
    if dir.symlink_metadata(name).map_err(fail)?.is_symlink() {
        let link = std::io::Error::new(ErrorKind::InvalidInput, "is a symbolic link");
        return Err(fail(link));
    }
    dir.open_dir(name).map_err(fail)
}
