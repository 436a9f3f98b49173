//! The body of an answer from an instance that goes on without it: it holds the request's place and keeps its
//! deadline.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hull_dispatch::{Body, BodyError};
use hull_invocation::{ComponentId, Failure, Slot};
use tokio::time::Sleep;

/// A body that is complete needs neither.
pub(super) fn body_of(body: Body, component: ComponentId, slot: Slot, began: Instant, deadline: Instant) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    Streaming { component, body, began, deadline, sleep: None, _slot: slot }.boxed_unsync()
}

struct Streaming {
    component: ComponentId,
    body: Body,
    began: Instant,
    deadline: Instant,
    /// Armed when the body is waited for.
    sleep: Option<Pin<Box<Sleep>>>,
    _slot: Slot,
}

impl HttpBody for Streaming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        sleep.as_mut().poll(cx).map(|()| {
            let after = deadline.saturating_duration_since(self.began);
            let failure = Failure::DeadlineExceeded { component: self.component.clone(), after };
            Some(Err(failure.into()))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
