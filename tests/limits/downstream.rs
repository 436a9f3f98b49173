//! A server outside of the host that does what a path says: it holds requests until the test lets them go, so that a
//! test decides how long something takes, and counts how many it held at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use hull_tests::wait;

/// One for all tests: its port stands in the manifest of the app that they share.
static DOWNSTREAM: LazyLock<Option<Downstream>> = LazyLock::new(|| Downstream::start().ok());

/// The server; it ends with the process.
pub(crate) struct Downstream {
    port: u16,
    holds: Mutex<Holds>,
    changed: Condvar,
}

#[derive(Default)]
struct Holds {
    now: BTreeMap<String, usize>,
    most: BTreeMap<String, usize>,
    released: BTreeSet<String>,
}

/// The one that all tests share.
pub(crate) fn downstream() -> anyhow::Result<&'static Downstream> {
    DOWNSTREAM.as_ref().context("no port for the server that guests call")
}

impl Downstream {
    fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that has given up is nobody to answer.
                std::thread::spawn(move || serve(stream).ok());
            }
        });
        Ok(Self { port, holds: Mutex::default(), changed: Condvar::new() })
    }

    /// The URL of a path of it: `hold/NAME`, `bytes/COUNT`, `take/COUNT` or `stall`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The grant that a component needs for it.
    pub(crate) fn grant(&self) -> String {
        format!("allowed_outbound_hosts = [\"http://127.0.0.1:{}\", \"http://*.internal\"]", self.port)
    }

    /// Wait until it holds so many requests of that name.
    pub(crate) fn until_held(&self, name: &str, count: usize) -> anyhow::Result<()> {
        wait::until(&format!("{count} of {name} to be held"), || Ok((self.held(name) == count).then_some(())))
    }

    /// How many requests of that name it holds.
    pub(crate) fn held(&self, name: &str) -> usize {
        self.holds().now.get(name).copied().unwrap_or(0)
    }

    /// The most that it has held at once.
    pub(crate) fn most(&self, name: &str) -> usize {
        self.holds().most.get(name).copied().unwrap_or(0)
    }

    /// Answer those that are held, and all that come.
    pub(crate) fn release(&self, name: &str) {
        self.holds().released.insert(name.to_owned());
        self.changed.notify_all();
    }

    fn hold(&self, name: &str) {
        let mut holds = self.holds();
        let now = holds.now.entry(name.to_owned()).or_default();
        *now += 1;
        let now = *now;
        let most = holds.most.entry(name.to_owned()).or_default();
        *most = now.max(*most);
        while !holds.released.contains(name) {
            holds = self.changed.wait(holds).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(now) = holds.now.get_mut(name) {
            *now -= 1;
        }
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let mut in_chunks = false;
    while line.trim_end() != "" {
        line.clear();
        anyhow::ensure!(reader.read_line(&mut line)? > 0, "the head broke off");
        in_chunks |= line.trim_end().eq_ignore_ascii_case("transfer-encoding: chunked");
    }
    let (verb, what) = path.split_once('/').unwrap_or((&path, ""));
    let body = match verb {
        "hold" => {
            downstream()?.hold(what);
            b"held".to_vec()
        }
        "bytes" => vec![b'x'; what.parse()?],
        // The whole of it: a connection that is closed while the client still writes loses the answer.
        "take" if in_chunks => take_chunks(&mut reader)?.to_string().into_bytes(),
        "take" => std::io::copy(&mut reader.take(what.parse()?), &mut std::io::sink())?.to_string().into_bytes(),
        "stall" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")?;
            // Until whoever asked has given up.
            reader.read_to_end(&mut Vec::new())?;
            return Ok(());
        }
        other => anyhow::bail!("{other}?"),
    };
    write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len())?;
    Ok(stream.write_all(&body)?)
}

/// Read a body in chunks (RFC 9112, section 7.1) to its end; how many bytes it has.
fn take_chunks(reader: &mut impl BufRead) -> anyhow::Result<u64> {
    let mut taken = 0;
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim_end(), 16)?;
        // The line's end follows it, also the last one, which is empty.
        std::io::copy(&mut reader.by_ref().take(size + 2), &mut std::io::sink())?;
        if size == 0 {
            return Ok(taken);
        }
        taken += size;
    }
}
