//! A nats-server of a test's own: its port, its folder, and its end with the test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A server starts within this.
const START_TIME: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A running server, or one that was killed and may be started again on the same port with the same data.
pub(crate) struct Server {
    directory: TempDir,
    child: Option<Child>,
    port: u16,
    more: Vec<String>,
}

impl Server {
    /// Start one.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Start one with more arguments.
    pub(crate) fn start_with(more: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let more = more.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Self { directory, child: None, port: 0, more };
        server.restart();
        server
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its process, while it runs.
    #[allow(dead_code, reason = "for those who send it signals")]
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kills");
            child.wait().expect("ends");
        }
    }

    /// Start it again; the first time the system chooses the port.
    pub(crate) fn restart(&mut self) {
        let path = self.directory.path();
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let mut command = Command::new(program());
        command.args(["-js", "-a", "127.0.0.1", "-p", &port, "-sd"]).arg(path.join("data"));
        command.arg("--ports_file_dir").arg(path).arg("-l").arg(path.join("log")).args(&self.more);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("nats-server starts: is it installed (`apt-get install nats-server`)?");
        let ports = path.join(format!("nats-server_{}.ports", child.id()));
        self.child = Some(child);
        let until = hull_clock::now() + START_TIME;
        loop {
            let text = std::fs::read_to_string(&ports).unwrap_or_default();
            if let Some(port) = port_in(&text)
                && std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            {
                self.port = port;
                return;
            }
            let log = || std::fs::read_to_string(path.join("log")).unwrap_or_default();
            assert!(hull_clock::now() < until, "nats-server does not start: {}", log());
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn port_in(ports: &str) -> Option<u16> {
    let ports: serde_json::Value = serde_json::from_str(ports).ok()?;
    ports["nats"][0].as_str()?.rsplit_once(':')?.1.parse().ok()
}

/// The server's program: the one that the environment names, or an installed one.
fn program() -> PathBuf {
    let named = std::env::var_os("HULL_NATS_SERVER").map(PathBuf::from);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&on_path).chain(["/usr/sbin", "/usr/local/bin"].map(PathBuf::from));
    let installed = || folders.map(|folder| folder.join("nats-server")).find(|file| file.is_file());
    named.or_else(installed).unwrap_or_else(|| PathBuf::from("nats-server"))
}
