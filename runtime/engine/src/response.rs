//! An answer whose body is still being written: the body drives the guest. When the client goes away the body is
//! dropped, and with it the guest.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Full};
use hull_dispatch::{Body, BodyError};
use hull_invocation::{ComponentId, Failure};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use crate::drive::Driver;

/// What the guest gave to its response outparam, or returned.
pub(crate) type Head = Result<http::Response<WasiBody>, String>;

/// Run the guest until it has given the head of its answer; the body goes on from there.
pub(crate) async fn answer(
    component: ComponentId,
    mut driver: Driver,
    head: oneshot::Receiver<Head>,
    cut: Cut,
) -> Result<http::Response<Body>, Failure> {
    let mut ended = None;
    let mut head = Some(head);
    let head = std::future::poll_fn(|cx| {
        if let Poll::Ready(end) = Pin::new(&mut driver).poll(cx) {
            ended = Some(end);
        }
        let given = match &mut head {
            Some(receiver) => Pin::new(receiver).poll(cx),
            None => Poll::Pending,
        };
        match given {
            Poll::Ready(Ok(given)) => return Poll::Ready(Some(given)),
            // It will never be given; why, the guest's end tells.
            Poll::Ready(Err(_)) => head = None,
            Poll::Pending => {}
        }
        // A sender that the guest still holds after its end will never be used.
        if ended.is_some() { Poll::Ready(None) } else { Poll::Pending }
    })
    .await;
    if let Some(Err(failure)) = ended {
        return Err(failure);
    }
    let no_response = |message: String| Failure::NoResponse { component: component.clone(), message };
    let response = head
        .ok_or_else(|| no_response("the handler returned and had set no response".to_owned()))?
        .map_err(no_response)?;
    let (parts, body) = response.into_parts();
    let left_bytes = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = match ended {
        Some(_) => body_of(component, body, cut),
        None => {
            let mut body = GuestBody { component, body, cut, driver: Some(driver), ahead: None, left_bytes };
            // Nobody asks for the body of an answer without one, and so nobody would drive the guest.
            if left_bytes == Some(0) {
                body.finish_in_background();
            }
            body.boxed_unsync()
        }
    };
    Ok(http::Response::from_parts(parts, body))
}

/// A body that nobody needs to drive. Most are there in one piece, and sending them with their length is cheaper for
/// everyone than sending them in chunks.
pub(crate) fn body_of(component: ComponentId, mut body: WasiBody, cut: Cut) -> Body {
    let mut cx = Context::from_waker(Waker::noop());
    let mut next = || match Pin::new(&mut body).poll_frame(&mut cx) {
        Poll::Ready(frame) => Some(frame),
        Poll::Pending => None,
    };
    let whole = match next() {
        Some(None) if !cut.happened() => Ok(Bytes::new()),
        Some(Some(Ok(frame))) => match frame.into_data() {
            Ok(bytes) => match next() {
                Some(None) if !cut.happened() => Ok(bytes),
                second => Err(vec![Some(Ok(Frame::data(bytes))), second.flatten()]),
            },
            Err(trailers) => Err(vec![Some(Ok(trailers))]),
        },
        Some(Some(Err(error))) => Err(vec![Some(Err(error))]),
        Some(None) | None => Err(Vec::new()),
    };
    match whole {
        Ok(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        Err(frames) => {
            let ahead: Vec<_> = frames.into_iter().flatten().collect();
            let ahead = Some(ahead.into_iter());
            GuestBody { component, body, cut, driver: None, ahead, left_bytes: None }.boxed_unsync()
        }
    }
}

type WasiFrame = Result<Frame<Bytes>, wasmtime_wasi_http::Error>;

/// Whether a guest was ended before its own end. Known before its bodies are dropped, which look complete then.
#[derive(Clone, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    /// The guest was ended, unless this is disarmed.
    pub(crate) fn on_drop(&self) -> CutOnDrop {
        CutOnDrop(Some(self.clone()))
    }

    fn happened(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// See [`Cut::on_drop`].
pub(crate) struct CutOnDrop(Option<Cut>);

impl CutOnDrop {
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        if let Some(Cut(happened)) = self.0.take() {
            happened.store(true, Ordering::Release);
        }
    }
}

struct GuestBody {
    component: ComponentId,
    body: WasiBody,
    cut: Cut,
    /// The guest, until it has ended.
    driver: Option<Driver>,
    /// Frames that were taken out of the body already.
    ahead: Option<std::vec::IntoIter<WasiFrame>>,
    /// Of the length that the guest declared: after the last of them nobody asks for more, unless it is for trailers.
    left_bytes: Option<u64>,
}

impl GuestBody {
    fn failed(&self, error: &wasmtime_wasi_http::Error) -> BodyError {
        let message = format!("the body ended early: {error}");
        BodyError::Guest(Failure::NoResponse { component: self.component.clone(), message })
    }

    fn cut_off(&self) -> BodyError {
        let message = "its instance ended before the answer did".to_owned();
        BodyError::Guest(Failure::NoResponse { component: self.component.clone(), message })
    }

    /// What goes beyond the length that was told could pass for the next answer.
    fn too_long(&self) -> BodyError {
        let message = "the body is longer than its Content-Length".to_owned();
        BodyError::Guest(Failure::NoResponse { component: self.component.clone(), message })
    }
}

impl HttpBody for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.ahead.as_mut().and_then(Iterator::next) {
            return Poll::Ready(Some(frame.map_err(|error| self.failed(&error))));
        }
        if let Some(driver) = self.driver.as_mut()
            && let Poll::Ready(end) = Pin::new(driver).poll(cx)
        {
            self.driver = None;
            if let Err(failure) = end {
                return Poll::Ready(Some(Err(failure.into())));
            }
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let sent = frame.data_ref().map_or(0, Bytes::len) as u64;
                if self.left_bytes.is_some_and(|left| sent > left) {
                    return Poll::Ready(Some(Err(self.too_long())));
                }
                self.left_bytes = self.left_bytes.map(|left| left.saturating_sub(sent));
                if self.left_bytes == Some(0) {
                    self.finish_in_background();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(self.failed(&error)))),
            Poll::Ready(None) if self.cut.happened() => self.poll_why(cx),
            Poll::Ready(None) => {
                self.finish_in_background();
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl GuestBody {
    /// Its end is on the way from the thread on which it ran. An instance that others share has an end that is not this
    /// answer's alone.
    fn poll_why(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(driver) = self.driver.as_mut() else {
            let is_whole = self.left_bytes == Some(0);
            return Poll::Ready((!is_whole).then(|| Err(self.cut_off())));
        };
        let end = ready!(Pin::new(driver).poll(cx));
        self.driver = None;
        Poll::Ready(end.err().map(|failure| Err(failure.into())))
    }

    /// The answer is complete and the guest is not done: it may go on until its deadline, with nobody waiting.
    fn finish_in_background(&mut self) {
        if let Some(driver) = self.driver.take() {
            tokio::spawn(async move {
                if let Err(failure) = driver.await {
                    tracing::warn!(%failure, "a guest failed after its response was complete");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::HeaderMap;

    use super::{Body, BodyExt, Bytes, ComponentId, Cut, Full, GuestBody, HttpBody};

    #[tokio::test]
    async fn trailers_follow_a_body_of_a_told_length() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().expect("a value"));
        let told = Full::from("four").with_trailers(std::future::ready(Some(Ok(trailers.clone()))));
        let guest = GuestBody {
            component: ComponentId::new("shop", "orders"),
            body: told.map_err(|never: Infallible| match never {}).boxed_unsync(),
            cut: Cut::default(),
            driver: None,
            ahead: None,
            left_bytes: Some(4),
        };
        let mut body: Body = guest.boxed_unsync();
        let data = body.frame().await.expect("a frame").expect("data").into_data();
        assert_eq!(data.ok(), Some(Bytes::from_static(b"four")));
        assert!(!body.is_end_stream(), "whoever can send trailers asks for more");
        let last = body.frame().await.expect("a frame").expect("trailers").into_trailers();
        assert_eq!(last.ok(), Some(trailers));
        assert!(body.frame().await.is_none());
    }
}
