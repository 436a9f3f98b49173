//! Finds and reads the files that describe an app and its host. The manifest crate knows no disk: this is what looks
//! at it, and what takes the values of variables from the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hull_manifest::{App, FileKind, Files, Host, Problems, Reading, Values};

/// A manifest is not longer than this, in bytes.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Where the host's configuration is looked for if nobody names it.
const HOST_FILE: &str = "hull.toml";
const MANIFEST_FILE: &str = "spin.toml";
/// As in Spin: `SPIN_VARIABLE_API_URL` is the value of `api_url`.
const VARIABLE_PREFIX: &str = "SPIN_VARIABLE_";

/// An app and the host that it is to run on.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) app: App,
    pub(crate) host: Host,
    /// The folder of the manifest; the paths in it begin there.
    pub(crate) base: PathBuf,
}

/// All that is wrong with the files. An error of [`load`] can be downcast to it.
#[derive(Debug)]
pub(crate) struct WrongFiles(pub(crate) Vec<Problems>);

impl fmt::Display for WrongFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.0.iter().map(|file| file.problems.len()).sum();
        write!(f, "{count} {} to mend", if count == 1 { "problem" } else { "problems" })?;
        self.0.iter().try_for_each(|file| write!(f, "\n{file}"))
    }
}

impl std::error::Error for WrongFiles {}

/// Read and check everything: both files, the files they name, and that every variable has a value. All problems are
/// told at once.
pub(crate) fn load(file: &Path, config: Option<&Path>) -> anyhow::Result<Loaded> {
    let file = manifest_path(file);
    let text = read_manifest(&file)?;
    let values = values_of(std::env::vars_os())?;
    let base = base_of(&file);
    let host = read_host(config)?;
    let disk = Disk { base: &base };
    let reading =
        Reading { file: &shown(&file), values: Values::Given(&values), files: Some(&disk), host: host.as_ref().ok() };
    match (App::parse(&text, &reading), host) {
        (Ok(app), Ok(host)) => Ok(Loaded { app, host, base }),
        (app, host) => Err(WrongFiles(app.err().into_iter().chain(host.err()).collect()).into()),
    }
}

/// Read an app that may not be built yet: nobody looks for the files that it names, and no variable needs a value.
pub(crate) fn load_unbuilt(file: &Path) -> anyhow::Result<(App, PathBuf)> {
    let file = manifest_path(file);
    let text = read_manifest(&file)?;
    let app = App::parse(&text, &Reading::alone(&shown(&file))).map_err(|problems| WrongFiles(vec![problems]))?;
    Ok((app, base_of(&file)))
}

/// Read an app that is to be sent elsewhere: its files must be here, the values of its variables need not. With it come
/// its text and the name of its file.
pub(crate) fn load_to_send(file: &Path) -> anyhow::Result<ToSend> {
    let file = manifest_path(file);
    let text = read_manifest(&file)?;
    let base = base_of(&file);
    let disk = Disk { base: &base };
    let reading = Reading { file: &shown(&file), values: Values::Unknown, files: Some(&disk), host: None };
    let app = App::parse(&text, &reading).map_err(|problems| WrongFiles(vec![problems]))?;
    let name = file.file_name().map_or_else(|| MANIFEST_FILE.to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(ToSend { app, base, text, name })
}

/// An app that is to be sent.
pub(crate) struct ToSend {
    pub(crate) app: App,
    /// The folder of the manifest.
    pub(crate) base: PathBuf,
    pub(crate) text: String,
    /// The manifest's own name.
    pub(crate) name: String,
}

/// The configuration of a host that has no app of its own.
pub(crate) fn load_host(config: Option<&Path>) -> anyhow::Result<Host> {
    read_host(config)?.map_err(|problems| WrongFiles(vec![problems]).into())
}

/// The values of variables that the environment has.
pub(crate) fn values_here() -> anyhow::Result<BTreeMap<String, String>> {
    values_of(std::env::vars_os())
}

/// Where the state directory of a host is that was started here.
pub(crate) fn state_dir_here() -> anyhow::Result<PathBuf> {
    Ok(load_host(None)?.state_dir.into())
}

/// The host's configuration: what was named, or what lies here, or the defaults.
fn read_host(config: Option<&Path>) -> anyhow::Result<Result<Host, Problems>> {
    let path = config.unwrap_or(Path::new(HOST_FILE));
    match read_text(path) {
        Ok(text) => Ok(Host::parse(&text, &shown(path)).map(|host| {
            let bus = host.bus.clone().beside(&base_of(path));
            Host { bus, ..host }
        })),
        Err(error) if config.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(Ok(Host::default())),
        Err(error) => Err(error).with_context(|| format!("cannot read the host's configuration {}", path.display())),
    }
}

fn read_manifest(file: &Path) -> anyhow::Result<String> {
    read_text(file).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::NotFound => format!(
                "there is no {}: name the manifest with -f, or start an app with `hull new http NAME`",
                file.display()
            ),
            _ => format!("cannot read the manifest {}", file.display()),
        };
        anyhow::Error::new(error).context(what)
    })
}

/// Open a file that has an end: opening a pipe would wait for somebody who writes to it.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}

/// All bytes of a file that may have so many; `too_large` says what is wrong with one that has more.
pub(crate) fn read_whole(path: &Path, bytes_max: u64, too_large: impl Fn(u64) -> String) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, too_large(bytes_max));
    // What says that it is too large need not be read first.
    if file.metadata()?.len() > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path)?.take(MANIFEST_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MANIFEST_BYTES_MAX {
        let message = format!("the file is longer than {} MiB", MANIFEST_BYTES_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

/// A folder stands for the manifest in it.
pub(crate) fn manifest_path(file: &Path) -> PathBuf {
    if file.is_dir() { file.join(MANIFEST_FILE) } else { file.to_owned() }
}

fn base_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The values of variables among those of the environment.
fn values_of(
    environment: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for (key, value) in environment {
        let Some(name) = key.to_str().and_then(|key| key.strip_prefix(VARIABLE_PREFIX)) else { continue };
        let value = value.into_string();
        let value = value.map_err(|_| anyhow::anyhow!("the value of {VARIABLE_PREFIX}{name} is not UTF-8"))?;
        values.insert(name.to_ascii_lowercase(), value);
    }
    Ok(values)
}

struct Disk<'a> {
    base: &'a Path,
}

impl Files for Disk<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        let found = std::fs::metadata(self.base.join(path)).ok()?;
        match (found.is_dir(), found.is_file()) {
            (true, _) => Some(FileKind::Directory),
            (_, true) => Some(FileKind::File),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{base_of, values_of};

    #[test]
    fn variables_come_from_the_environment() {
        let environment = [("SPIN_VARIABLE_API_URL", "x"), ("PATH", "/bin"), ("SPIN_VARIABLE_B", "")];
        let values = values_of(environment.into_iter().map(|(key, value)| (key.into(), value.into())));
        let expected = [("api_url", "x"), ("b", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(values.expect("all UTF-8"), expected.into());
    }

    #[test]
    fn paths_begin_at_the_manifests_folder() {
        assert_eq!(base_of(Path::new("spin.toml")), PathBuf::from("."));
        assert_eq!(base_of(Path::new("a/b/spin.toml")), PathBuf::from("a/b"));
        assert_eq!(base_of(Path::new("/spin.toml")), PathBuf::from("/"));
    }
}
