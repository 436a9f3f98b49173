//! A PostgreSQL server for tests: its port, its folder, its user (it refuses root), and its end with this process. Hull
//! logs in as a role that is no superuser, as it would with a careful operator.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A server starts, or recovers, within this.
const START_TIME: Duration = Duration::from_mins(1);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Ends the server when the process of the tests has ended, however it did; and takes its folder away.
const WATCH: &str = "(while kill -0 \"$1\" 2> /dev/null; do sleep 1; done; \
    pid=$(head -n 1 \"$2/data/postmaster.pid\") && kill -QUIT \"$pid\"; sleep 1; rm -rf \"$2\") &";

/// A running server, or one that was killed and may be started again on the same port with the same data.
pub(crate) struct Server {
    directory: TempDir,
    child: Option<Child>,
    port: u16,
    /// What it is started with besides.
    settings: Vec<String>,
    /// Whose the processes and the files are; none if this process is not root.
    user: Option<(u32, u32)>,
}

impl Server {
    /// Make one and start it.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// One that takes TLS, with this certificate and its key.
    #[allow(dead_code)]
    pub(crate) fn start_with_tls(certificate: &Path, key: &Path) -> Self {
        Self::start_with(|server| {
            let own = |file: &Path, name: &str| {
                let copy = server.directory.path().join(name);
                fs::copy(file, &copy).expect("copied");
                fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("only the server reads it");
                if let Some((uid, gid)) = server.user {
                    chown(&copy, Some(uid), Some(gid)).expect("the file is the server's");
                }
                copy.display().to_string()
            };
            let (certificate, key) = (own(certificate, "server.pem"), own(key, "server.key"));
            vec!["ssl=on".to_owned(), format!("ssl_cert_file={certificate}"), format!("ssl_key_file={key}")]
        })
    }

    fn start_with(settings: impl FnOnce(&Self) -> Vec<String>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let user = user();
        if let Some((uid, gid)) = user {
            chown(directory.path(), Some(uid), Some(gid)).expect("the folder is the server's");
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut server = Self { directory, child: None, port, settings: Vec::new(), user };
        server.settings = settings(&server);
        let password = server.directory.path().join("password");
        fs::write(&password, "postgres").expect("written");
        if let Some((uid, gid)) = user {
            chown(&password, Some(uid), Some(gid)).expect("the file is the server's");
        }
        let mut make = server.command("initdb");
        make.arg("-D").arg(server.directory.path().join("data")).args(["-U", "postgres", "-E", "UTF8", "--no-sync"]);
        make.args(["--locale=C", "-A", "scram-sha-256", "--pwfile"]).arg(password);
        let ended = make.stdout(Stdio::null()).output().expect("initdb starts: is PostgreSQL installed?");
        assert!(ended.status.success(), "initdb: {}", String::from_utf8_lossy(&ended.stderr));
        server.restart();
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "sh", &std::process::id().to_string()]).arg(server.directory.path());
        watch.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        assert!(watch.status().expect("sh starts").success());
        server.sql("postgres", "CREATE ROLE hull LOGIN CREATEROLE PASSWORD 'hull'");
        server
    }

    /// Make a database that is Hull's; its URL.
    pub(crate) fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\" OWNER hull"));
        format!("postgres://hull:hull@127.0.0.1:{}/{name}", self.port)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Run SQL as the superuser; what it prints, a line a row.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(program("psql"));
        psql.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "-d",
            database,
            "-XAtq",
            "-c",
            sql,
        ]);
        psql.env("PGPASSWORD", "postgres").args(["-v", "ON_ERROR_STOP=1"]);
        let output = psql.output().expect("psql starts");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// SIGKILL to all of its processes: one that serves a connection would live on for a moment and answer.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let children = children_of(child.id());
            child.kill().expect("kills");
            child.wait().expect("ends");
            // Those that have ended meanwhile are none.
            let children = children.iter().map(u32::to_string);
            let _ = Command::new("kill").arg("-KILL").args(children).stderr(Stdio::null()).status();
        }
    }

    /// The process that starts the others, and those.
    #[allow(dead_code)]
    pub(crate) fn processes(&self) -> Vec<u32> {
        let Some(id) = self.child.as_ref().map(Child::id) else { return Vec::new() };
        [vec![id], children_of(id)].concat()
    }

    /// Write all of a database into a file, as SQL.
    #[allow(dead_code)]
    pub(crate) fn dump(&self, database: &str, file: &Path) {
        let mut dump = Command::new(program("pg_dump"));
        dump.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", database, "-f"]).arg(file);
        assert!(dump.env("PGPASSWORD", "postgres").status().expect("pg_dump starts").success());
    }

    /// Start it again.
    pub(crate) fn restart(&mut self) {
        let data = self.directory.path().join("data");
        let until = hull_clock::now() + START_TIME;
        loop {
            let mut command = self.command("postgres");
            command.arg("-D").arg(&data).args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
            command.args(["-c", "unix_socket_directories=", "-c", "max_connections=300", "-c", "fsync=on"]);
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            let log = fs::File::options().create(true).append(true).open(self.directory.path().join("log"));
            command.stdout(Stdio::null()).stderr(log.expect("a log"));
            let mut child = command.spawn().expect("postgres starts");
            while hull_clock::now() < until {
                if child.try_wait().expect("its state").is_some() {
                    // The processes of one that was killed may not have gone yet.
                    break;
                }
                if self.is_ready() {
                    self.child = Some(child);
                    return;
                }
                std::thread::sleep(LOOK_EVERY);
            }
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().expect("ends");
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(hull_clock::now() < until, "PostgreSQL does not start: {log}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn is_ready(&self) -> bool {
        let mut look = Command::new(program("pg_isready"));
        look.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        look.status().is_ok_and(|status| status.success())
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir("/").stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // An immediate shutdown: its processes end with it. It may have ended by itself, or be stopped.
            for signal in ["-QUIT", "-CONT"] {
                let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
            }
            let _ = child.wait();
        }
    }
}

fn children_of(id: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// The user that the server runs as where this process is root.
fn user() -> Option<(u32, u32)> {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if id.stdout.trim_ascii() != b"0" {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(of("postgres").or_else(|| of("nobody")).expect("a user that is not root"))
}

/// A program of PostgreSQL's: from the folder that the environment names, or the newest that is installed.
fn program(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("HULL_POSTGRES_BIN") {
        return PathBuf::from(folder).join(name);
    }
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = entries.map(|entry| entry.path()).max_by_key(version).map(|path| path.join("bin").join(name));
    newest.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}
