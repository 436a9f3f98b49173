//! Bodies of outgoing requests and of their answers: bounded in size and in time, and counted when a bound ends them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hull_invocation::{CountRejected, Resource};
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use crate::egress::Egress;

type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

/// No more of it than `limits.outbound.body-max`.
pub(crate) fn sized<B, F>(egress: &Egress, body: B, too_large: F) -> WasiBody
where
    B: Body<Data = Bytes, Error = WasiError> + Send + 'static,
    F: Fn(Option<u64>) -> WasiError + Send + Unpin + 'static,
{
    within(egress.limits.body_bytes_max, &egress.rejected, body, too_large)
}

/// No more of it than so many bytes.
pub(crate) fn within<B, F>(
    bytes_max: u64,
    rejected: &Arc<dyn CountRejected>,
    body: B,
    too_large: F,
) -> UnsyncBoxBody<Bytes, B::Error>
where
    B: Body<Data = Bytes> + Send + 'static,
    F: Fn(Option<u64>) -> B::Error + Send + Unpin + 'static,
{
    let rejected = Arc::clone(rejected);
    let body = Some(Box::pin(body));
    SizedBody { body, bytes_left: bytes_max, bytes_max, too_large, rejected }.boxed_unsync()
}

struct SizedBody<B, F> {
    /// Until it has ended or was too large.
    body: Option<Pin<Box<B>>>,
    bytes_left: u64,
    bytes_max: u64,
    too_large: F,
    rejected: Arc<dyn CountRejected>,
}

impl<B, F> Body for SizedBody<B, F>
where
    B: Body<Data = Bytes>,
    F: Fn(Option<u64>) -> B::Error + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let Some(frame) = ready!(body.as_mut().poll_frame(cx)) else {
            self.body = None;
            return Poll::Ready(None);
        };
        let bytes = frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        let Some(left) = self.bytes_left.checked_sub(bytes) else {
            self.body = None;
            self.rejected.rejected(Resource::OutboundBody);
            return Poll::Ready(Some(Err((self.too_large)(Some(self.bytes_max)))));
        };
        self.bytes_left = left;
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.as_ref().map_or_else(|| http_body::SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Until when a request may go on, and whether that is the component's own bound or the invocation's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    pub(crate) at: Instant,
    /// `limits.outbound.time` comes before the deadline.
    pub(crate) is_own: bool,
}

impl Until {
    /// What comes first.
    pub(crate) fn of(egress: &Egress, now: Instant, deadline: Instant) -> Self {
        let own = now.checked_add(egress.limits.time).filter(|end| *end <= deadline);
        Self { at: own.unwrap_or(deadline), is_own: own.is_some() }
    }

    /// The end of a request that went on for so long. What the deadline ends is counted with its invocation.
    pub(crate) fn passed(self, rejected: &dyn CountRejected) -> WasiError {
        if self.is_own {
            rejected.rejected(Resource::OutboundTime);
        }
        WasiError::HttpResponseTimeout
    }
}

/// It must have ended by a time: to the last byte, as `limits.outbound.time` says.
pub(crate) fn timed(egress: &Egress, body: WasiBody, until: Until) -> WasiBody {
    let rejected = Arc::clone(&egress.rejected);
    TimedBody { body: Some(body), until, sleep: None, rejected }.boxed_unsync()
}

struct TimedBody {
    /// Until it has ended or its time was over.
    body: Option<WasiBody>,
    until: Until,
    /// Armed when the body is waited for.
    sleep: Option<Pin<Box<Sleep>>>,
    rejected: Arc<dyn CountRejected>,
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = WasiError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<WasiError> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            if frame.is_none() {
                self.body = None;
            }
            return Poll::Ready(frame);
        }
        let until = self.until;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.at.into())));
        ready!(sleep.as_mut().poll(cx));
        // Its connection and its place are given back now.
        self.body = None;
        Poll::Ready(Some(Err(until.passed(&*self.rejected))))
    }
}
