//! Runs the binary in a folder of its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a command ended with.
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// It has succeeded; what it printed.
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.status, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// It has failed, with an error that says all of this and nothing of a panic.
    pub(crate) fn failed_saying(self, wanted: &[&str]) {
        assert_eq!(self.status, 1, "{}{}", self.stdout, self.stderr);
        assert!(self.stderr.starts_with("error: ") || self.stderr.contains("\nerror: "), "{}", self.stderr);
        for words in wanted {
            assert!(self.stderr.contains(words), "no {words:?} in\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }

    /// What it printed is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// A folder to run commands in.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// With a file in it.
    pub(crate) fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, content).expect("a file");
        self
    }

    /// Run `hull` here.
    pub(crate) fn hull(&self, line: &str) -> Ended {
        self.hull_with(line, &[])
    }

    /// Run `hull` here with variables of the environment.
    pub(crate) fn hull_with(&self, line: &str, variables: &[(&str, &str)]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hull"));
        command.args(line.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        for key in ["HULL_ADMIN", "HULL_TOKEN"] {
            command.env_remove(key);
        }
        let output = command.envs(variables.iter().copied()).output().expect("the binary runs");
        Ended {
            status: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// A manifest with one component, `greeter`, whose file is `greeter.wasm`.
pub(crate) fn manifest(component: &str) -> String {
    format!(
        "spin_manifest_version = 2\n[application]\nname = \"hello\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"greeter\"\n[component.greeter]\nsource = \"greeter.wasm\"\n{component}\n"
    )
}

#[test]
fn a_wrong_use_is_status_2() {
    let folder = Folder::new();
    for line in ["", "fly", "up --listen nowhere", "new http", "new http Bad", "check --fast", "dead-letters"] {
        let ended = folder.hull(line);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{line}");
        assert!(ended.stderr.contains("Usage:") || ended.stderr.contains("try '--help'"), "{line}: {}", ended.stderr);
    }
}

#[test]
fn help_and_version_are_asked_for() {
    let folder = Folder::new();
    assert!(folder.hull("--help").succeeded().contains("dead-letters"));
    assert!(folder.hull("--version").succeeded().starts_with("hull "));
}
