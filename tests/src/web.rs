//! A server elsewhere that does what a test wants of it, byte by byte, and remembers what it was asked.

use std::fmt::{self, Write as _};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

/// No test takes longer to read what it is sent.
const SILENCE: Duration = Duration::from_secs(30);

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

type Answers = dyn Fn(&Asked, &mut TcpStream) + Send + Sync;

/// A running server. It ends with the test's process; when this is dropped nobody is answered any more.
pub struct Web {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    is_open: Arc<std::sync::atomic::AtomicBool>,
}

impl Web {
    /// One that answers so: what is written goes out as it is, and then the connection ends.
    pub fn start(answers: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("there is no free port")?;
        let address = listener.local_addr()?;
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let is_open = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let (remembered, answers, open) = (Arc::clone(&asked), Arc::new(answers), Arc::clone(&is_open));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if !open.load(std::sync::atomic::Ordering::Acquire) {
                    return;
                }
                let (remembered, answers) = (Arc::clone(&remembered), Arc::clone(&answers));
                thread::spawn(move || serve(stream, &remembered, &*answers));
            }
        });
        Ok(Self { address, asked, is_open })
    }

    /// One that has these files.
    pub fn of_files(files: &[(&str, &[u8])]) -> anyhow::Result<Self> {
        let files: Vec<(String, Vec<u8>)> =
            files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        Self::start(move |asked, stream| {
            let path = asked.target.split('?').next().unwrap_or_default();
            match files.iter().find(|(file, _)| file == path) {
                Some((_, bytes)) => answer(stream, "200 OK", &[], bytes),
                None => answer(stream, "404 Not Found", &[], b"it is not there"),
            }
        })
    }

    /// Host and port.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// A URL there.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.is_open.store(false, std::sync::atomic::Ordering::Release);
        // Wakes it up to see that.
        let _ = TcpStream::connect(self.address);
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Web").field(&self.address).finish()
    }
}

/// A whole answer.
pub fn answer(stream: &mut TcpStream, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        // Writing to a string does not fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    // Who does not read on has heard enough.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(body));
}

/// An answer without an end; until nobody reads it any more.
pub fn endless(stream: &mut TcpStream, headers: &[(&str, &str)]) {
    let mut head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n".to_owned();
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    let mut sent = stream.write_all(format!("{head}\r\n").as_bytes());
    while sent.is_ok() {
        sent = stream.write_all(chunk.as_bytes());
    }
}

fn serve(mut stream: TcpStream, remembered: &Mutex<Vec<Asked>>, answers: &Answers) {
    let _ = stream.set_write_timeout(Some(SILENCE));
    let Ok(reading) = stream.try_clone() else { return };
    let mut lines = BufReader::new(reading).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let Some(target) = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)) else { return };
    let header =
        |line: String| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let asked = Asked { target, headers: lines.filter_map(header).collect() };
    remembered.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    answers(&asked, &mut stream);
}
