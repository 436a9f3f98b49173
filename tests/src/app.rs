//! An app to run: its manifest, a state directory of its own, and the flags and variables it is started with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::host::Host;
use crate::nats::NatsServer;
use crate::output::Output;
use crate::postgres::PostgresServer;
use crate::{cache, files, wait};

/// How long a command may take.
const COMMAND_TIME: Duration = Duration::from_mins(1);

/// An app, running or not. Its files go when it is dropped.
#[derive(Debug)]
pub struct App {
    folder: TempDir,
    manifest: PathBuf,
    flags: Vec<OsString>,
    variables: Vec<(String, String)>,
    nats: Option<NatsServer>,
    deaf_to: Option<&'static str>,
    postgres: Option<PostgresServer>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// This, if it succeeded.
    pub fn good(self) -> anyhow::Result<Self> {
        anyhow::ensure!(self.status == Some(0), "{:?}: {}", self.status, self.said());
        Ok(self)
    }

    /// Standard output as JSON, if it succeeded.
    pub fn json(self) -> anyhow::Result<serde_json::Value> {
        let ended = self.good()?;
        serde_json::from_str(&ended.stdout).with_context(|| ended.said())
    }

    /// Both outputs.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

impl App {
    /// The app of a manifest somewhere.
    pub fn of_file(manifest: &Path) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("hull-test-").context("no room for temporary files")?;
        let app = Self {
            folder,
            manifest: manifest.to_owned(),
            flags: Vec::new(),
            variables: Vec::new(),
            nats: None,
            deaf_to: None,
            postgres: None,
        };
        cache::lend(&app.state_dir())?;
        Ok(app)
    }

    /// The app of this manifest; `{probe}` and the like in it stand for the built guests.
    pub fn of_text(manifest: &str) -> anyhow::Result<Self> {
        let mut app = Self::of_file(Path::new(""))?;
        app.manifest = app.folder().join("spin.toml");
        app.set_text(manifest)?;
        Ok(app)
    }

    /// Another manifest for the same app.
    pub fn set_text(&self, manifest: &str) -> anyhow::Result<()> {
        let mut text = manifest.to_owned();
        for guest in ["probe", "probe_p3", "hostile", "hostile_p3", "ungranted"] {
            let name = format!("{{{guest}}}");
            if text.contains(&name) {
                text = text.replace(&name, &files::guest(guest)?.display().to_string());
            }
        }
        std::fs::write(&self.manifest, text).context("cannot write the manifest")
    }

    /// A file beside its manifest.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Where its own files may go.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Path {
        &self.manifest
    }

    /// Where the host keeps everything.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The database of a component.
    pub fn database(&self, app: &str, component: &str) -> PathBuf {
        self.state_dir().join("apps").join(app).join(component).join("data.db")
    }

    /// Compile everything anew, whatever other tests have compiled.
    pub fn without_cache(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_dir_all(self.state_dir().join("cache"))?)
    }

    /// With more flags for `hull up`.
    #[must_use]
    pub fn flags<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, flags: I) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// With a variable in the environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a signal ignored that would end it, by its name in the shell.
    #[must_use]
    pub fn deaf_to(mut self, signal: &'static str) -> Self {
        self.deaf_to = Some(signal);
        self
    }

    /// With its events on a nats-server of its own.
    pub fn on_nats(mut self) -> anyhow::Result<Self> {
        let server = NatsServer::start();
        self.configure(&format!("[bus]\nbackend = \"nats\"\nurl = \"{}\"\n", server.url()))?;
        self.nats = Some(server);
        Ok(self)
    }

    /// With the data of all its components on a PostgreSQL server of its own.
    pub fn on_postgres(mut self) -> anyhow::Result<Self> {
        let server = PostgresServer::start();
        let url = server.database("hull");
        self.configure(&format!("[storage.default]\nbackend = \"postgres\"\nurl = \"{url}\"\n"))?;
        self.postgres = Some(server);
        Ok(self)
    }

    /// With the same configuration of the host as another app, whose servers it shares.
    pub fn configured_like(self, other: &Self) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(other.folder().join("hull.toml")).context("the other has none")?;
        self.write("hull.toml", &text)?;
        Ok(self)
    }

    /// More of the host's configuration.
    fn configure(&self, more: &str) -> anyhow::Result<()> {
        let before = std::fs::read_to_string(self.folder().join("hull.toml")).unwrap_or_default();
        self.write("hull.toml", &format!("{before}{more}"))
    }

    /// The server of its data.
    pub fn postgres(&mut self) -> Option<&mut PostgresServer> {
        self.postgres.as_mut()
    }

    /// The port of that server.
    pub fn nats_port(&self) -> Option<u16> {
        self.nats.as_ref().map(NatsServer::port)
    }

    /// Start it and wait until it is ready.
    pub fn up(&self) -> anyhow::Result<Host> {
        Host::start(self.up_command()?, &self.state_dir())
    }

    /// Start it, and kill it after that time, however far it is then.
    pub fn up_cut_short(&self, after: Duration) -> anyhow::Result<()> {
        let mut command = self.up_command()?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        std::thread::sleep(after);
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Start a daemon on its state directory, and wait until it is ready. The app serves once it has been deployed.
    pub fn host(&self) -> anyhow::Result<Host> {
        self.host_with(&[])
    }

    /// The same with more flags.
    pub fn host_with(&self, flags: &[&str]) -> anyhow::Result<Host> {
        let mut command = self.running_command("host", &self.state_dir())?;
        command.args(flags);
        Host::start(command, &self.state_dir())
    }

    /// `hull deploy` of its manifest.
    pub fn deploy(&self, words: &[&str]) -> anyhow::Result<Ended> {
        let manifest = self.manifest.display().to_string();
        self.command(&[&["deploy", "-f", &manifest], words].concat())
    }

    /// Leave its files where they are, for somebody to look at.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// `hull up`, which is expected to end by itself.
    pub fn up_ends(&self) -> anyhow::Result<Ended> {
        run(self.up_command()?)
    }

    /// The same on another state directory, as on another machine.
    pub fn up_elsewhere_ends(&self) -> anyhow::Result<Ended> {
        let elsewhere = self.folder().join("elsewhere");
        cache::lend(&elsewhere)?;
        run(self.up_command_in(&elsewhere)?)
    }

    /// Any other command on this app's state directory.
    pub fn command(&self, words: &[&str]) -> anyhow::Result<Ended> {
        let mut command = self.program()?;
        command.args(words).arg("--state-dir").arg(self.state_dir());
        run(command)
    }

    /// A command that needs no state directory.
    pub fn tool(&self, words: &[&str]) -> anyhow::Result<Ended> {
        let mut command = self.program()?;
        command.args(words);
        run(command)
    }

    /// `hull check` on its manifest.
    pub fn check(&self) -> anyhow::Result<Ended> {
        let mut command = self.program()?;
        command.arg("check").arg("-f").arg(&self.manifest);
        run(command)
    }

    fn up_command(&self) -> anyhow::Result<Command> {
        self.up_command_in(&self.state_dir())
    }

    fn up_command_in(&self, state_dir: &Path) -> anyhow::Result<Command> {
        let mut command = self.running_command("up", state_dir)?;
        command.arg("-f").arg(&self.manifest);
        Ok(command)
    }

    fn running_command(&self, name: &str, state_dir: &Path) -> anyhow::Result<Command> {
        let mut command = self.program()?;
        command.arg(name).arg("--json");
        for (flag, value) in [("--listen", "127.0.0.1:0"), ("--admin", "127.0.0.1:0")] {
            if !self.flags.iter().any(|given| given == flag) {
                command.args([flag, value]);
            }
        }
        command.arg("--state-dir").arg(state_dir).args(&self.flags);
        Ok(command)
    }

    fn program(&self) -> anyhow::Result<Command> {
        let mut command = match self.deaf_to {
            None => Command::new(files::hull()?),
            Some(signal) => {
                // What is ignored stays so in the program that takes the shell's place.
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("trap '' {signal}; exec \"$@\""), "sh"]).arg(files::hull()?);
                shell
            }
        };
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        // What else is in the environment of whoever runs the tests must not matter.
        command.env_remove("HULL_ADMIN").env_remove("HULL_TOKEN").current_dir(self.folder.path());
        Ok(command)
    }
}

/// Run a command that ends by itself.
pub fn run(mut command: Command) -> anyhow::Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let stdout = Output::of(child.stdout.take().context("no standard output")?);
    let stderr = Output::of(child.stderr.take().context("no standard error")?);
    let ended = wait::until_within(COMMAND_TIME, "a command to end", || Ok(child.try_wait()?));
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (stdout, stderr) = (stdout.whole(), stderr.whole());
    let status = ended.with_context(|| format!("{command:?} said:\n{stdout}\n{stderr}"))?;
    Ok(Ended { status: status.code(), stdout, stderr })
}
