//! A real registry, Docker's, for tests of what comes from registries: its port, its folder, and its end with the test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, Client, Request};
use crate::{digest, wait};

/// What a manifest of an artifact comes as.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// What a layer with a component is called.
pub const COMPONENT_TYPE: &str = "application/wasm";

/// A running registry; it ends with this.
#[derive(Debug)]
pub struct Registry {
    folder: TempDir,
    child: Child,
    client: Client,
    login: Option<&'static str>,
}

/// A user and a password, as `docker login` writes them down, and the line that lets them in.
const LOGIN: &str = "aHVsbDpzZWNyZXQ=";
const HTPASSWD: &str = "hull:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

impl Registry {
    /// One that everybody may read from and write to.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with("", None)
    }

    /// One that only a user may read from: see [`Registry::login`].
    pub fn start_private() -> anyhow::Result<Self> {
        Self::start_with("auth:\n  htpasswd:\n    realm: hull\n    path: FOLDER/htpasswd\n", Some(LOGIN))
    }

    fn start_with(more: &str, login: Option<&'static str>) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("hull-registry-").context("no room for temporary files")?;
        let path = folder.path().display().to_string();
        let config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: FOLDER/data\nhttp:\n  addr: \
             127.0.0.1:0\n{more}"
        );
        let config_file = folder.path().join("config.yml");
        std::fs::write(&config_file, config.replace("FOLDER", &path))?;
        std::fs::write(folder.path().join("htpasswd"), HTPASSWD)?;
        let log = folder.path().join("log");
        let mut command = Command::new(program());
        command.arg("serve").arg(&config_file).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(std::fs::File::create(&log)?).spawn();
        let child = child.context("docker-registry starts: is it installed (`apt-get install docker-registry`)?")?;
        let mut registry = Self { folder, child, client: Client::new(([127, 0, 0, 1], 0).into()), login };
        let address = wait::until("the registry to listen", || {
            let text = std::fs::read_to_string(&log)?;
            anyhow::ensure!(registry.child.try_wait()?.is_none(), "the registry ended: {text}");
            let told = text.split("listening on ").nth(1).and_then(|rest| rest.split(['"', ' ', '\n']).next());
            Ok(told.and_then(|address| address.parse().ok()))
        })?;
        registry.client = Client::new(address);
        Ok(registry)
    }

    /// Host and port.
    #[must_use]
    pub fn host(&self) -> String {
        self.client.address().to_string()
    }

    /// The configuration of whoever has logged in here.
    #[must_use]
    pub fn login(&self) -> Value {
        json!({ "auths": { self.host(): { "auth": self.login.unwrap_or_default() } } })
    }

    /// Push a component, with these annotations of its manifest; the manifest's digest.
    pub fn push(&self, repository: &str, tag: &str, component: &[u8], annotations: &Value) -> anyhow::Result<String> {
        let config = b"{}";
        self.push_blob(repository, config)?;
        self.push_blob(repository, component)?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": {
                "mediaType": "application/vnd.wasm.config.v0+json", "digest": digest::of(config), "size": config.len(),
            },
            "layers": [{ "mediaType": COMPONENT_TYPE, "digest": digest::of(component), "size": component.len() }],
            "annotations": annotations,
        })
        .to_string();
        let request = self.asked("PUT", &format!("/v2/{repository}/manifests/{tag}"));
        request.header("content-type", MANIFEST_TYPE).body(manifest.clone()).send()?.expect(201)?;
        Ok(digest::of(manifest.as_bytes()))
    }

    fn push_blob(&self, repository: &str, bytes: &[u8]) -> anyhow::Result<Answer> {
        let begun = self.asked("POST", &format!("/v2/{repository}/blobs/uploads/")).body("").send()?.expect(202)?;
        let location = begun.header("location").context("there is nowhere to send it to")?;
        // It names itself by what it was called.
        let rest = location.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or(location);
        let joint = if path.contains('?') { '&' } else { '?' };
        let request = self.asked("PUT", &format!("{path}{joint}digest={}", digest::of(bytes)));
        request.header("content-type", "application/octet-stream").body(bytes).send()?.expect(201)
    }

    fn asked(&self, method: &str, target: &str) -> Request {
        let request = self.client.request(method, target);
        match self.login {
            Some(login) => request.header("authorization", &format!("Basic {login}")),
            None => request,
        }
    }

    /// What it says.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the registry said:\n{}", self.log());
        }
    }
}

/// The program: the one that the environment names, or an installed one, as Debian or others call it.
fn program() -> PathBuf {
    let named = std::env::var_os("HULL_REGISTRY").map(PathBuf::from);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let all = ["docker-registry", "registry"].into_iter().flat_map(|name| folders.iter().map(move |f| f.join(name)));
    let installed = all.into_iter().find(|file| file.is_file());
    named.or(installed).unwrap_or_else(|| PathBuf::from("docker-registry"))
}
