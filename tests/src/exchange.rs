//! One HTTP/1.1 exchange over one connection, byte by byte where a test wants it so.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;

/// No answer takes longer; a test that waits for one must end.
const SILENCE: Duration = Duration::from_mins(1);

/// A connection on which something was asked.
#[derive(Debug)]
pub struct Exchange {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Exchange {
    /// Connect, and send nothing yet.
    pub fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        stream.set_nodelay(true)?;
        let reader = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
        Ok(Self { stream, reader })
    }

    /// Send these bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).context("the host takes no more")
    }

    /// Say that nothing more will be sent.
    pub fn finish(&self) -> anyhow::Result<()> {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// A second handle to send with, for a body that is written while the answer is read.
    pub fn sender(&self) -> anyhow::Result<TcpStream> {
        Ok(self.stream.try_clone()?)
    }

    /// The head of the next response.
    pub fn head(&mut self) -> anyhow::Result<Head> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("{line:?} is no status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(Head { status, headers });
            }
            let (name, value) = line.split_once(':').with_context(|| format!("{line:?} is no header"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The body that belongs to a head; an error when it breaks off.
    pub fn body(&mut self, head: &Head) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.each_piece(head, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// Hand over the body piece by piece; an error when it breaks off.
    pub fn each_piece(&mut self, head: &Head, mut take: impl FnMut(&[u8])) -> anyhow::Result<()> {
        if matches!(head.status, 100..=199 | 204 | 304) {
            return Ok(());
        }
        if head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunks(&mut take);
        }
        if let Some(length) = head.header("content-length") {
            return self.exactly(length.parse()?, &mut take);
        }
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = self.reader.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            take(buffer.get(..length).unwrap_or_default());
        }
    }

    /// What comes until the host closes, as it is.
    pub fn rest(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn chunks(&mut self, take: &mut impl FnMut(&[u8])) -> anyhow::Result<()> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).with_context(|| format!("{line:?} is no chunk"))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(());
            }
            self.exactly(size, take)?;
            anyhow::ensure!(self.line()?.is_empty(), "a chunk is longer than it says");
        }
    }

    fn exactly(&mut self, length: u64, take: &mut impl FnMut(&[u8])) -> anyhow::Result<()> {
        let mut left = length;
        while left > 0 {
            let piece = self.reader.fill_buf()?;
            anyhow::ensure!(!piece.is_empty(), "the body broke off with {left} of {length} bytes to come");
            let taken = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            take(piece.get(..taken).unwrap_or_default());
            self.reader.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        anyhow::ensure!(line.ends_with(b"\n"), "the connection ended within a line");
        let text = String::from_utf8(line).context("a line of the answer is not UTF-8")?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}
