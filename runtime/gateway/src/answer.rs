//! The answer's body on its way to the client: from a guest, bounded by the deadline to its last byte, or whole
//! and at hand.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use hull_dispatch::{Body, BodyError};
use hull_telemetry::Level;

use crate::exchange::Exchange;
use crate::watch::wake_by;

/// A body with the exchange that ends with it.
#[derive(Debug)]
pub(crate) struct Answer {
    source: Source,
    exchange: Exchange,
}

#[derive(Debug)]
enum Source {
    Whole(Bytes),
    Guest { first: Option<Frame<Bytes>>, body: Body, deadline: Instant },
}

/// A guest's body after the first look at it.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It was all there.
    Whole(Bytes),
    /// There is more to come.
    Streams {
        /// What was there.
        first: Option<Frame<Bytes>>,
        /// The rest.
        body: Body,
    },
}

impl Begun {
    /// How long the body is, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Streams { first, body } => size_hint(first.as_ref(), body).exact(),
        }
    }

    /// Look at what of the body is there at once. A guest that fails before its first byte has not answered, and
    /// the client can still be told so.
    pub(crate) async fn of(mut body: Body) -> Result<Self, BodyError> {
        let looked = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await;
        match looked {
            Poll::Pending => Ok(Self::Streams { first: None, body }),
            Poll::Ready(None) => Ok(Self::Whole(Bytes::new())),
            Poll::Ready(Some(Err(error))) => Err(error),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) if body.is_end_stream() => Ok(Self::Whole(bytes)),
                Ok(bytes) => Ok(Self::Streams { first: Some(Frame::data(bytes)), body }),
                Err(frame) => Ok(Self::Streams { first: Some(frame), body }),
            },
        }
    }
}

impl Answer {
    /// An answer that is all there.
    pub(crate) fn whole(mut exchange: Exchange, answer: Response<Bytes>) -> Response<Self> {
        exchange.answered(answer.status());
        if answer.body().is_empty() {
            exchange.completed();
        }
        answer.map(|bytes| Self { source: Source::Whole(bytes), exchange })
    }

    /// An answer whose body comes from a guest.
    pub(crate) fn guest(exchange: Exchange, answer: Response<Begun>, deadline: Instant) -> Response<Self> {
        let (parts, begun) = answer.into_parts();
        match begun {
            Begun::Whole(bytes) => Self::whole(exchange, Response::from_parts(parts, bytes)),
            Begun::Streams { first, body } => {
                let mut exchange = exchange;
                exchange.answered(parts.status);
                exchange.streams_until(deadline);
                let source = Source::Guest { first, body, deadline };
                Response::from_parts(parts, Self { source, exchange })
            }
        }
    }

    fn failed(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.exchange.log(Level::Warn, &format!("the answer was cut short: {error}"));
        // Whatever the guest still does is of no use to anybody.
        self.source = Source::Whole(Bytes::new());
        Poll::Ready(Some(Err(error)))
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let (body, deadline) = match &mut this.source {
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                this.exchange.wrote(bytes.len());
                this.exchange.completed();
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Source::Guest { first, body, deadline } => match first.take() {
                Some(frame) => {
                    this.exchange.wrote(frame.data_ref().map_or(0, Bytes::len));
                    return Poll::Ready(Some(Ok(frame)));
                }
                None => (body, *deadline),
            },
        };
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.exchange.wrote(frame.data_ref().map_or(0, Bytes::len));
                // Nobody polls again after the last frame if it says that it is the last.
                if body.is_end_stream() {
                    this.exchange.completed();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => this.failed(error),
            Poll::Ready(None) => {
                this.exchange.completed();
                Poll::Ready(None)
            }
            Poll::Pending if hull_clock::now() >= deadline => {
                let failure = this.exchange.too_late(deadline);
                this.failed(failure.into())
            }
            Poll::Pending => {
                wake_by(deadline);
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Guest { first, body, .. } => first.is_none() && body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Guest { first, body, .. } => size_hint(first.as_ref(), body),
        }
    }
}

fn size_hint(first: Option<&Frame<Bytes>>, rest: &Body) -> SizeHint {
    let taken = first.and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
    let rest = rest.size_hint();
    let mut hint = SizeHint::new();
    hint.set_lower(rest.lower().saturating_add(taken));
    if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(taken)) {
        hint.set_upper(upper);
    }
    hint
}
