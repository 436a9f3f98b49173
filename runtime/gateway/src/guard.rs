//! A client's connection as the HTTP library sees it: only complete, well-formed request heads come through, and
//! nobody waits for ever. A malformed head is replaced by a small request that the handler answers with the
//! reason, so that the client learns it, in its turn after earlier requests, and the connection then ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::config::GatewayConfig;
use crate::connection::ConnectionState;
use crate::heads::{Heads, Verdict};
use crate::refusal::Refusal;
use crate::watch::wake_by;

/// The method of the request that takes a malformed one's place; its path is the word for the reason. A client
/// that sends this itself refuses its own request.
pub(crate) const REFUSED_METHOD: &str = "HULL-REFUSED";

/// After the last answer, how long to go on reading what the client had under way: closing at once would reset the
/// connection and take the answer with it.
const LINGER: Duration = Duration::from_secs(1);

/// What comes first on a connection that speaks HTTP/2.
pub(crate) const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A head and a body that fit into this, in bytes, are written as one piece: for the kernel that is cheaper than two.
const SMALL_ANSWER_BYTES: usize = 1024;

/// A connection under guard.
pub(crate) struct Guarded {
    stream: TcpStream,
    config: Arc<GatewayConfig>,
    state: Arc<ConnectionState>,
    /// `None` on a connection that speaks HTTP/2, whose framing the library checks well.
    heads: Option<Heads>,
    /// An incomplete head.
    held: BytesMut,
    /// Checked, and to be read by the library next.
    ready: Bytes,
    input: Input,
    waiting_since: Option<Instant>,
    answers_seen: usize,
    write_stalled_since: Option<Instant>,
    write_closed: bool,
    linger_until: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
    Refused,
    Broken,
}

impl Guarded {
    /// `first` is what has been read already to tell the protocol.
    pub(crate) fn new(
        stream: TcpStream,
        first: &[u8],
        http2: bool,
        config: &Arc<GatewayConfig>,
        state: &Arc<ConnectionState>,
    ) -> Self {
        let mut guarded = Self {
            stream,
            config: Arc::clone(config),
            state: Arc::clone(state),
            heads: (!http2).then(|| Heads::new(config.head_limits())),
            held: BytesMut::new(),
            ready: Bytes::new(),
            input: Input::Open,
            waiting_since: None,
            answers_seen: 0,
            write_stalled_since: None,
            write_closed: false,
            linger_until: None,
        };
        if http2 {
            guarded.ready = Bytes::copy_from_slice(first);
        } else {
            guarded.held.extend_from_slice(first);
            guarded.check_held();
        }
        guarded
    }

    /// Read right into the library's buffer; only what is not a complete head yet is moved out of it again.
    fn poll_read_checked(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        if new.is_empty() {
            self.input = Input::Ended;
            return Poll::Ready(Ok(()));
        }
        let Some(heads) = &mut self.heads else { return Poll::Ready(Ok(())) };
        let passed = match heads.advance(new) {
            Verdict::Pass(count) => {
                self.held.extend_from_slice(new.get(count..).unwrap_or_default());
                count
            }
            Verdict::Refuse(count, why) => {
                self.refuse(why);
                count
            }
            Verdict::Broken => {
                self.input = Input::Broken;
                0
            }
        };
        buf.set_filled(before + passed);
        Poll::Ready(Ok(()))
    }

    /// Read more of a head of which a part is here already.
    fn poll_read_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; 4096];
        let mut buf = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        if buf.filled().is_empty() {
            // Half a head is no request; the library sees the end of the connection between requests.
            self.held.clear();
            self.input = Input::Ended;
        } else {
            self.held.extend_from_slice(buf.filled());
            self.check_held();
        }
        Poll::Ready(Ok(()))
    }

    fn check_held(&mut self) {
        let Some(heads) = &mut self.heads else { return };
        match heads.advance(&self.held) {
            Verdict::Pass(count) => self.ready = self.held.split_to(count).freeze(),
            Verdict::Refuse(count, why) => {
                let good = self.held.split_to(count);
                self.refuse(why);
                self.ready = [&good[..], &self.ready[..]].concat().into();
            }
            Verdict::Broken => self.input = Input::Broken,
        }
    }

    fn refuse(&mut self, why: Refusal) {
        self.held.clear();
        self.input = Input::Refused;
        let request = format!("{REFUSED_METHOD} /{} HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n", why.word());
        self.ready = request.into();
    }

    fn is_between_requests(&self) -> bool {
        self.held.is_empty() && self.heads.as_ref().is_none_or(Heads::is_between)
    }

    /// Nothing came. Bounds the wait for a head and between requests; while a request is being answered, its own
    /// deadline is what counts. Ready if the time is up.
    fn poll_wait(&mut self) -> Poll<()> {
        let in_body = self.heads.as_ref().is_some_and(Heads::is_in_body);
        let is_busy = in_body || self.state.is_answering();
        let answers = self.state.answers_started();
        if is_busy || answers != self.answers_seen {
            self.answers_seen = answers;
            self.waiting_since = None;
        }
        if is_busy {
            return Poll::Pending;
        }
        let now = hull_clock::now();
        let is_idle = self.is_between_requests();
        let bound = if is_idle { self.config.idle_timeout } else { self.config.header_read_timeout };
        let until = *self.waiting_since.get_or_insert(now) + bound;
        if now < until {
            wake_by(until);
            return Poll::Pending;
        }
        if is_idle {
            self.input = Input::Ended;
        } else {
            self.refuse(Refusal::HeadTimeout);
        }
        Poll::Ready(())
    }

    /// Whether the client has taken nothing for too long.
    fn check_stall<T>(&mut self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_stalled_since = None;
            return written;
        }
        let now = hull_clock::now();
        let until = *self.write_stalled_since.get_or_insert(now) + self.config.write_stall_timeout;
        if now >= until {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        wake_by(until);
        Poll::Pending
    }

    /// Read and forget what the client was still sending. Only where it was: after a refusal, or within a body.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let in_body = self.heads.as_ref().is_some_and(Heads::is_in_body);
        if self.input == Input::Ended || !(in_body || self.input == Input::Refused) {
            return Poll::Ready(());
        }
        let mut space = [0; 8192];
        loop {
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let now = hull_clock::now();
        let until = *self.linger_until.get_or_insert(now + LINGER);
        if now >= until {
            return Poll::Ready(());
        }
        wake_by(until);
        Poll::Pending
    }
}

/// The slices as one, if they are small and more than one.
fn gathered<'a>(slices: &[IoSlice<'_>], space: &'a mut [u8]) -> Option<&'a [u8]> {
    if slices.len() < 2 {
        return None;
    }
    let mut end = 0;
    for slice in slices {
        let from = end;
        end += slice.len();
        space.get_mut(from..end)?.copy_from_slice(slice);
    }
    space.get(..end)
}

impl AsyncRead for Guarded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            if !this.ready.is_empty() {
                let count = this.ready.len().min(buf.remaining());
                buf.put_slice(this.ready.get(..count).unwrap_or_default());
                this.ready.advance(count);
                return Poll::Ready(Ok(()));
            }
            match this.input {
                Input::Open => {}
                Input::Ended => return Poll::Ready(Ok(())),
                Input::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                // The library waits for the end of the connection, which comes from this side.
                Input::Refused => return Poll::Pending,
            }
            let was_between = this.is_between_requests();
            let read = if this.held.is_empty() { this.poll_read_checked(cx, buf) } else { this.poll_read_held(cx) };
            match read {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // In HTTP/2 bytes may come without end that belong to no request.
                Poll::Ready(Ok(())) if this.heads.is_some() && (was_between || this.is_between_requests()) => {
                    this.waiting_since = None;
                }
                Poll::Ready(Ok(())) => {}
                Poll::Pending => {
                    ready!(this.poll_wait());
                    continue;
                }
            }
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.check_stall(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let stream = Pin::new(&mut this.stream);
        let mut space = [0; SMALL_ANSWER_BYTES];
        let written = match gathered(slices, &mut space) {
            Some(whole) => stream.poll_write(cx, whole),
            None => stream.poll_write_vectored(cx, slices),
        };
        this.check_stall(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.write_closed {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.write_closed = true;
        }
        this.poll_linger(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::gathered;

    #[test]
    fn only_small_pieces_are_joined() {
        let mut space = [0; 8];
        let slices = |pieces: &[&'static [u8]]| pieces.iter().map(|piece| IoSlice::new(piece)).collect::<Vec<_>>();
        assert_eq!(gathered(&slices(&[b"head", b"", b"body"]), &mut space), Some(&b"headbody"[..]));
        assert_eq!(gathered(&slices(&[b"head", b"body+"]), &mut space), None, "too large");
        assert_eq!(gathered(&slices(&[b"alone"]), &mut space), None);
        assert_eq!(gathered(&[], &mut space), None);
    }
}
