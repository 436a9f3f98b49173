//! A closed loop of requests over keep-alive connections, all on one thread: each connection sends its next request
//! as soon as it has the answer to the last.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::histogram::Histogram;
use crate::response;

/// What to send, and for how long.
pub(crate) struct Load {
    /// Where to.
    pub(crate) address: SocketAddr,
    /// How many connections, and so how many requests at once.
    pub(crate) connections: usize,
    /// Not counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) measured: Duration,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Answers per second, counted ones only.
    pub(crate) rate: f64,
    /// From sending the request to the last byte of the answer.
    pub(crate) latencies: Histogram,
    /// What the server used of CPU for one of them.
    pub(crate) server_cpu: Duration,
}

/// A longer answer is not what this bench measures.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A server that says nothing for so long has hung.
const SILENCE_MAX: Duration = Duration::from_secs(10);

impl Load {
    /// Send and count. Any answer but 200 and any broken connection is an error: a rate of failures means nothing.
    /// `server_cpu` tells what the server has used of CPU since it was started.
    pub(crate) fn run(&self, server_cpu: impl Fn() -> anyhow::Result<Duration>) -> anyhow::Result<Outcome> {
        let mut poll = Poll::new().context("cannot make a poll")?;
        let mut connections = self.connect(&poll)?;
        let mut latencies = Histogram::new();
        let counted_from = hull_clock::now() + self.warm_up;
        let end = counted_from + self.measured;
        for connection in &mut connections {
            connection.send(hull_clock::now())?;
        }
        let mut events = Events::with_capacity(self.connections);
        let mut cpu_before = None;
        loop {
            poll.poll(&mut events, Some(SILENCE_MAX)).context("cannot poll")?;
            if events.is_empty() {
                bail!("no answer from {} for {SILENCE_MAX:?}", self.address);
            }
            for event in &events {
                let Some(connection) = connections.get_mut(event.token().0) else { continue };
                if let Some((sent, answered)) = connection.receive()? {
                    if sent >= counted_from && answered < end {
                        latencies.record(answered - sent);
                    }
                    connection.send(answered)?;
                }
            }
            let now = hull_clock::now();
            if now >= counted_from && cpu_before.is_none() {
                cpu_before = Some(server_cpu()?);
            }
            if now >= end {
                let used = server_cpu()?.saturating_sub(cpu_before.unwrap_or_default());
                let counted = u32::try_from(latencies.total()).unwrap_or(u32::MAX).max(1);
                let rate = latencies.total() as f64 / self.measured.as_secs_f64();
                return Ok(Outcome { rate, latencies, server_cpu: used / counted });
            }
        }
    }

    fn connect(&self, poll: &Poll) -> anyhow::Result<Vec<Connection>> {
        let connect = |index| {
            let unreachable = || format!("cannot connect to {}", self.address);
            let stream = std::net::TcpStream::connect(self.address).with_context(unreachable)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
            let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
            Ok(Connection { stream, request, sent: None, buffer: vec![0; 4096], filled: 0 })
        };
        (0..self.connections).map(connect).collect()
    }
}

struct Connection {
    stream: TcpStream,
    request: String,
    sent: Option<Instant>,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    fn send(&mut self, now: Instant) -> anyhow::Result<()> {
        let written = self.stream.write(self.request.as_bytes()).context("cannot send a request")?;
        if written < self.request.len() {
            bail!("a request of {} bytes does not fit into an empty socket buffer", self.request.len());
        }
        self.sent = Some(now);
        Ok(())
    }

    /// When the answered request was sent and when its answer was whole; none if that has to be waited for.
    fn receive(&mut self) -> anyhow::Result<Option<(Instant, Instant)>> {
        loop {
            if self.filled == self.buffer.len() {
                if self.filled >= ANSWER_BYTES_MAX {
                    bail!("an answer of more than {ANSWER_BYTES_MAX} bytes");
                }
                self.buffer.resize(self.filled * 2, 0);
            }
            let read = match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot receive an answer"),
            };
            self.filled += read;
            let parsed = response::parse(&self.buffer[..self.filled]);
            let Some(whole) = parsed.map_err(|why| anyhow::anyhow!("malformed answer: {}", why.0))? else {
                continue;
            };
            if whole.status != 200 {
                bail!("an answer with status {}", whole.status);
            }
            if whole.length != self.filled {
                bail!("{} bytes after an answer that nobody asked for", self.filled - whole.length);
            }
            self.filled = 0;
            let sent = self.sent.take().context("an answer without a request")?;
            return Ok(Some((sent, hull_clock::now())));
        }
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
