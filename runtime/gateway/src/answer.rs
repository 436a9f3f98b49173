//! The answer's body on its way to the client: from a guest, bounded by the deadline to its last byte, or whole
//! and at hand.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, Version};
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
    Guest(Coming),
}

/// A body that is still being written.
#[derive(Debug)]
struct Coming {
    first: Option<Frame<Bytes>>,
    body: Body,
    deadline: Instant,
    /// Of the length that was told.
    left: Option<u64>,
    /// Whether trailers can follow the last byte of it. Where they cannot, nobody asks for more.
    takes_trailers: bool,
}

impl Coming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = match self.first.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.body).poll_frame(cx),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.left = self.left.map(|left| left.saturating_sub(length_of(frame)));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let is_all_there = !self.takes_trailers && self.left == Some(0);
        self.first.is_none() && (is_all_there || self.body.is_end_stream())
    }
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

    /// An answer whose body comes from a guest, to a request of that version.
    pub(crate) fn guest(
        exchange: Exchange,
        answer: Response<Begun>,
        deadline: Instant,
        version: Version,
    ) -> Response<Self> {
        let (parts, begun) = answer.into_parts();
        match begun {
            Begun::Whole(bytes) => Self::whole(exchange, Response::from_parts(parts, bytes)),
            Begun::Streams { first, body } => {
                let mut exchange = exchange;
                exchange.answered(parts.status);
                exchange.streams_until(deadline);
                let (left, takes_trailers) = (told_length(&parts.headers), version == Version::HTTP_2);
                let coming = Coming { first, body, deadline, left, takes_trailers };
                if coming.is_end_stream() {
                    exchange.completed();
                }
                Response::from_parts(parts, Self { source: Source::Guest(coming), exchange })
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
        let coming = match &mut this.source {
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                this.exchange.wrote(bytes.len());
                this.exchange.completed();
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Source::Guest(coming) => coming,
        };
        let deadline = coming.deadline;
        match coming.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.exchange.wrote(frame.data_ref().map_or(0, Bytes::len));
                // Nobody polls again after the last frame if it says that it is the last.
                if coming.is_end_stream() {
                    this.exchange.completed();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                this.exchange.completed();
                Poll::Ready(None)
            }
            Poll::Pending if hull_clock::now() < deadline => {
                wake_by(deadline);
                Poll::Pending
            }
            // Every byte that was told of is there: the answer does without trailers.
            Poll::Ready(Some(Err(_))) | Poll::Pending if coming.left == Some(0) => {
                this.source = Source::Whole(Bytes::new());
                this.exchange.completed();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => this.failed(error),
            Poll::Pending => {
                let failure = this.exchange.too_late(deadline);
                this.failed(failure.into())
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Guest(coming) => coming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Guest(coming) => size_hint(coming.first.as_ref(), &coming.body),
        }
    }
}

/// What the first `Content-Length` says.
pub(crate) fn told_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn length_of(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, Bytes::len) as u64
}

fn size_hint(first: Option<&Frame<Bytes>>, rest: &Body) -> SizeHint {
    let taken = first.map_or(0, length_of);
    let rest = rest.size_hint();
    let mut hint = SizeHint::new();
    hint.set_lower(rest.lower().saturating_add(taken));
    if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(taken)) {
        hint.set_upper(upper);
    }
    hint
}
