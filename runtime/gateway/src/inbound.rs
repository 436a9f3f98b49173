//! The request's body on its way to a guest: bounded, and with errors that a guest can be told.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hull_dispatch::{Body, BodyError};
use hyper::body::Incoming;

/// Whether a body turned out to be larger than it may be. `None` for bodies that cannot.
#[derive(Debug)]
pub(crate) struct Overrun(Option<Arc<AtomicBool>>);

impl Overrun {
    pub(crate) fn happened(&self) -> bool {
        self.0.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// The body for the guest; `None` if it says itself that it is larger than it may be.
pub(crate) fn inbound(incoming: Incoming, bytes_max: u64) -> Option<(Body, Overrun)> {
    if incoming.is_end_stream() {
        // Without a size, and so without an allocation.
        return Some((Body::new(NoBody), Overrun(None)));
    }
    if incoming.size_hint().lower() > bytes_max {
        return None;
    }
    let overrun = Arc::new(AtomicBool::new(false));
    let body = Bounded { incoming, left: bytes_max, bytes_max, overrun: Arc::clone(&overrun) };
    Some((Body::new(body), Overrun(Some(overrun))))
}

struct NoBody;

impl http_body::Body for NoBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

struct Bounded {
    incoming: Incoming,
    left: u64,
    bytes_max: u64,
    overrun: Arc<AtomicBool>,
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = match ready!(Pin::new(&mut this.incoming).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Peer(error.to_string())))),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        if let Some(left) = this.left.checked_sub(length) {
            this.left = left;
            return Poll::Ready(Some(Ok(frame)));
        }
        this.overrun.store(true, Ordering::Relaxed);
        this.left = 0;
        Poll::Ready(Some(Err(BodyError::TooLarge { limit_bytes: this.bytes_max })))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
