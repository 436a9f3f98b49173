//! One keep-alive connection that never blocks: a request goes out in as many pieces as the socket takes, and an
//! answer is told once it is whole.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::response;

/// A longer answer is not what these benches measure.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A request as it goes over the wire, shared by all connections that send it.
pub(crate) type Request = Arc<[u8]>;

/// A request line, the headers that every request needs, and a body, if it is not empty.
pub(crate) fn request(method: &str, target: &str, body: &str) -> Request {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: bench\r\n");
    let rest = if body.is_empty() {
        "\r\n".to_owned()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    (head + &rest).into_bytes().into()
}

/// An open connection, or one that is being opened.
pub(crate) struct Connection {
    stream: TcpStream,
    request: Request,
    written: usize,
    buffer: Vec<u8>,
    filled: usize,
}

/// What there is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// Not all of an answer yet.
    Nothing,
    /// A whole one.
    Answer {
        /// Its status code.
        status: u16,
        /// Whether the connection ends with it.
        closes: bool,
    },
    /// The server has closed the connection, between two answers.
    Closed,
}

impl Connection {
    /// Begin to connect; a server that is not there shows in what is received.
    pub(crate) fn open(address: SocketAddr, registry: &Registry, token: Token) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        // While it is being opened this may fail, and no request is delayed by that.
        let _ = stream.set_nodelay(true);
        Ok(Self { stream, request: Arc::new([]), written: 0, buffer: vec![0; 4096], filled: 0 })
    }

    /// Send a request; nothing may be under way.
    pub(crate) fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        self.request = Arc::clone(request);
        self.written = 0;
        self.push()
    }

    /// Send what is left of the request, if the socket takes it.
    pub(crate) fn push(&mut self) -> anyhow::Result<()> {
        while let Some(left) = self.request.get(self.written..).filter(|left| !left.is_empty()) {
            match self.stream.write(left) {
                Ok(written) => self.written += written,
                Err(error) if is_not_yet(error.kind()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot send a request"),
            }
        }
        Ok(())
    }

    /// Read what is there. A connection that breaks, or says what it was not asked, is an error.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Received> {
        loop {
            if self.filled == self.buffer.len() {
                if self.filled >= ANSWER_BYTES_MAX {
                    bail!("an answer of more than {ANSWER_BYTES_MAX} bytes");
                }
                self.buffer.resize(self.filled * 2, 0);
            }
            let read = match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) if self.filled == 0 => return Ok(Received::Closed),
                Ok(0) => bail!("the server closed a connection within an answer"),
                Ok(read) => read,
                Err(error) if is_not_yet(error.kind()) => return Ok(Received::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot receive an answer"),
            };
            self.filled += read;
            let parsed = response::parse(&self.buffer[..self.filled]);
            let Some(whole) = parsed.map_err(|why| anyhow::anyhow!("malformed answer: {}", why.0))? else {
                continue;
            };
            if whole.length != self.filled {
                bail!("{} bytes after an answer that nobody asked for", self.filled - whole.length);
            }
            self.filled = 0;
            return Ok(Received::Answer { status: whole.status, closes: whole.closes });
        }
    }
}

/// `NotConnected` is a connection that is still being opened.
fn is_not_yet(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

#[cfg(test)]
mod tests {
    use super::request;

    #[test]
    fn a_body_brings_its_length() {
        assert_eq!(&*request("GET", "/a", ""), b"GET /a HTTP/1.1\r\nHost: bench\r\n\r\n");
        let text = String::from_utf8(request("POST", "/a", "[{}]").to_vec()).expect("text");
        assert!(text.ends_with("Content-Length: 4\r\n\r\n[{}]"), "{text}");
    }
}
