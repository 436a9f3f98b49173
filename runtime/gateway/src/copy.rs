//! An answer on its way to the client, copied piece by piece for whoever compares it with another version's.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use hull_dispatch::{Body, BodyError};

use crate::answer::told_length;
use crate::trial::Copies;

/// The same answer, and its copy.
pub(crate) fn copied(response: Response<Body>, mut copy: Box<dyn Copies>) -> Response<Body> {
    copy.head(response.status(), response.headers());
    let left = told_length(response.headers());
    response.map(|body| Body::new(Copied { body, left, copy: Some(copy) }))
}

struct Copied {
    body: Body,
    /// How many bytes are to come, where that was told.
    left: Option<u64>,
    /// Until the end, or until it breaks off.
    copy: Option<Box<dyn Copies>>,
}

impl http_body::Body for Copied {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let copied = &mut *self;
                if let (Some(copy), Some(data)) = (&mut copied.copy, frame.data_ref()) {
                    copied.left = copied.left.map(|left| left.saturating_sub(data.len() as u64));
                    copy.piece(data);
                }
            }
            Some(Err(_)) => self.copy = None,
            None => {
                if let Some(copy) = self.copy.take() {
                    copy.done();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // Nobody polls again after a frame that says it is the last, or after the last byte that was told.
        if (self.body.is_end_stream() || self.left == Some(0))
            && let Some(copy) = self.copy.take()
        {
            copy.done();
        }
    }
}
