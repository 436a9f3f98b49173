//! The request's body on its way to a guest: bounded, and with errors that a guest can be told. Small bodies are
//! read before the guest is asked, so that clients who never finish theirs hold nothing but their own connection.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hull_dispatch::{Body, BodyError};
use hull_invocation::{CountRejected as _, Resource};
use hull_telemetry::ComponentMetrics;
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::refusal::Refusal;
use crate::target::ComponentTarget;
use crate::watch::Until;

/// Bodies up to this length, if they say so, are read before the guest is asked.
const BODY_AHEAD_BYTES_MAX: u64 = 64 * 1024;
/// How long such a body may give no byte.
const AHEAD_STALL: Duration = Duration::from_secs(2);
/// How long a body may give no byte to a guest that waits for one.
const STREAM_STALL: Duration = Duration::from_secs(10);

/// Whether a body turned out to be larger than it may be. `None` for bodies that cannot.
#[derive(Debug)]
pub(crate) struct Overrun(Option<Arc<AtomicBool>>);

impl Overrun {
    pub(crate) fn happened(&self) -> bool {
        self.0.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// Why there is no body for the guest.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It says itself that it is larger than it may be.
    TooLarge,
    /// It should have been here before the guest is asked, and is not.
    Unfinished(Refusal),
}

/// The body for the guest. A small one is whole when this returns: a guest that waits for its client holds a place
/// that others need. It costs neither a timer nor an allocation if there is none.
pub(crate) async fn inbound(
    incoming: Incoming,
    target: &ComponentTarget,
    deadline: Instant,
) -> Result<(Body, Overrun), Unfit> {
    let bytes_max = target.body_in_bytes_max;
    if incoming.is_end_stream() {
        // Without a size, and so without an allocation.
        return Ok((Body::new(NoBody), Overrun(None)));
    }
    let size = incoming.size_hint();
    if size.lower() > bytes_max {
        target.metrics.rejected(Resource::BodyIn);
        return Err(Unfit::TooLarge);
    }
    if let Some(length) = size.exact().filter(|&length| length <= BODY_AHEAD_BYTES_MAX) {
        let ahead = read_ahead(incoming, length, deadline).await.map_err(Unfit::Unfinished)?;
        return Ok((Body::new(ahead), Overrun(None)));
    }
    let overrun = Arc::new(AtomicBool::new(false));
    let metrics = Arc::clone(&target.metrics);
    let body = Bounded { incoming, left: bytes_max, bytes_max, overrun: Arc::clone(&overrun), metrics, stall: None };
    Ok((Body::new(body), Overrun(Some(overrun))))
}

/// Read a body of that length to its end. Space grows with what arrives, not with what is announced.
async fn read_ahead(mut incoming: Incoming, length: u64, deadline: Instant) -> Result<Ahead, Refusal> {
    let mut whole = Ahead { bytes: Bytes::new(), trailers: None };
    let mut parts = BytesMut::new();
    let mut until = deadline.min(hull_clock::now() + AHEAD_STALL);
    while !incoming.is_end_stream() {
        let next = Until { future: incoming.frame(), deadline: until }.await.ok_or(Refusal::BodyTimeout)?;
        let Some(frame) = next else { break };
        match frame.map_err(|_| Refusal::BodyBroken)?.into_data() {
            Ok(data) if data.len() as u64 == length && parts.is_empty() && whole.bytes.is_empty() => whole.bytes = data,
            // In HTTP/2 frames may be empty; they are no progress.
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                if (whole.bytes.len() + parts.len() + data.len()) as u64 > length {
                    return Err(Refusal::BodyBroken);
                }
                // Keeping the pieces would keep the buffers that they were read into.
                parts.extend_from_slice(&data);
                until = deadline.min(hull_clock::now() + AHEAD_STALL);
            }
            Err(frame) => whole.trailers = frame.into_trailers().ok(),
        }
    }
    if whole.bytes.is_empty() {
        whole.bytes = parts.freeze();
    }
    if whole.bytes.len() as u64 == length { Ok(whole) } else { Err(Refusal::BodyBroken) }
}

/// A body that is all there.
struct Ahead {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
}

impl http_body::Body for Ahead {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let bytes = std::mem::take(&mut this.bytes);
        let frame = if bytes.is_empty() { this.trailers.take().map(Frame::trailers) } else { Some(Frame::data(bytes)) };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
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
    metrics: Arc<ComponentMetrics>,
    /// Runs while the guest waits for a byte. A timer of its own, since guests may read on other tasks.
    stall: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let stall = self.stall.get_or_insert_with(|| {
            let until = hull_clock::now() + STREAM_STALL;
            Box::pin(tokio::time::sleep_until(until.into()))
        });
        let told = || BodyError::Peer(format!("stalled: no byte for {} s", STREAM_STALL.as_secs()));
        stall.as_mut().poll(cx).map(|()| told())
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Pending => return this.poll_stall(cx).map(|error| Some(Err(error))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(BodyError::Peer(error.to_string())))),
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        if length > 0 {
            this.stall = None;
        }
        if let Some(left) = this.left.checked_sub(length) {
            this.left = left;
            return Poll::Ready(Some(Ok(frame)));
        }
        if !this.overrun.swap(true, Ordering::Relaxed) {
            this.metrics.rejected(Resource::BodyIn);
        }
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
