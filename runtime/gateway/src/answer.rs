//! The answer's body on its way to the client: from a guest, bounded by the deadline to its last byte, or whole
//! and at hand.

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
    Guest { body: Body, deadline: Instant },
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
    pub(crate) fn guest(mut exchange: Exchange, answer: Response<Body>, deadline: Instant) -> Response<Self> {
        exchange.answered(answer.status());
        if answer.body().is_end_stream() {
            exchange.completed();
        }
        answer.map(|body| Self { source: Source::Guest { body, deadline }, exchange })
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
            Source::Guest { body, deadline } => (body, *deadline),
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
            Source::Guest { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Guest { body, .. } => body.size_hint(),
        }
    }
}
