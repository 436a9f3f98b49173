//! A request's body that is read from files while it is sent, so that nothing large is held.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::bundle::Source;
use crate::admin::RequestBody;

/// What is read at once, in bytes.
const PIECE_BYTES: usize = 256 << 10;

pub(super) struct Sending {
    parts: VecDeque<Source>,
    open: Option<File>,
    left: u64,
}

impl Sending {
    /// These, one after the other; so many bytes in all.
    pub(super) fn new(parts: Vec<Source>, bytes: u64) -> Self {
        Self { parts: parts.into(), open: None, left: bytes }
    }

    pub(super) fn into_body(self) -> RequestBody {
        self.boxed()
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(file) = &mut self.open {
                let mut piece = vec![0; PIECE_BYTES];
                let length = file.read(&mut piece)?;
                if length > 0 {
                    piece.truncate(length);
                    return Ok(Some(piece.into()));
                }
                self.open = None;
            }
            match self.parts.pop_front() {
                None => return Ok(None),
                Some(Source::Text(text)) => return Ok(Some(text.into())),
                Some(Source::File(path)) => self.open = Some(File::open(path)?),
            }
        }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let sent = match self.next() {
            Ok(Some(piece)) => {
                // A file that has grown meanwhile is not what was announced; the host will say so.
                let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
                self.left -= most as u64;
                Ok(Frame::data(piece.slice(..most)))
            }
            Ok(None) => Err(io::Error::other("a file became shorter while it was sent")),
            Err(error) => Err(error),
        };
        Poll::Ready(Some(sent))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
