//! Calls to another component of the same app, `http://NAME.internal/`: through the same door as every request, and
//! never over a socket.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body::Frame;
use http_body_util::BodyExt;
use hull_dispatch::{Body, BodyError, Invoke};
use hull_invocation::{Cause, Invocation, Resource, Slot};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use crate::egress::Egress;
use crate::failure::{of_body, of_call};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The component that a URI names, if it names one.
pub(crate) fn internal_target(uri: &Uri) -> Option<&str> {
    component_of(uri.host()?)
}

/// The component that a host name means, if it means one.
pub(crate) fn component_of(host: &str) -> Option<&str> {
    let name = host.strip_suffix(".spin.internal").or_else(|| host.strip_suffix(".internal"))?;
    (!name.is_empty() && !name.contains('.')).then_some(name)
}

/// Call it. The caller's deadline holds for it too.
pub(crate) async fn call(
    egress: &Egress,
    caller: &Invocation,
    target: &str,
    first_byte: Option<Duration>,
    mut request: Request<WasiBody>,
) -> Result<Response<WasiBody>, WasiError> {
    let target = caller.target.sibling(target);
    let lineage = caller.lineage.call(target.clone()).map_err(|error| {
        tracing::info!(caller = %caller.target, %target, %error, "a call was refused");
        egress.rejected.rejected(Resource::CallDepth);
        WasiError::LoopDetected
    })?;
    let now = hull_clock::now();
    let deadline =
        first_byte.and_then(|time| now.checked_add(time)).map_or(caller.deadline, |d| d.min(caller.deadline));
    let invocation = Invocation {
        target,
        cause: Cause::Call,
        deadline,
        request_id: caller.request_id.clone(),
        correlation_id: caller.correlation_id.clone(),
        trace: caller.trace.child(hull_clock::random_u64()),
        lineage,
        hops: caller.hops,
        slot: Slot::default(),
    };
    mark(&mut request, &invocation);
    let request = request.map(|body| body.map_err(|error| BodyError::Peer(error.to_string())).boxed_unsync());
    apart(Arc::clone(&egress.door), invocation, request).await
}

/// Frames of an answer that are on their way between two components.
const FRAMES_MAX: usize = 2;

/// Serve the call on a task of its own: this one is inside the caller's poll, and one guest is not driven from inside
/// another. Dropping the answer, or the wait for it, ends the task.
async fn apart(
    door: Arc<dyn Invoke>,
    invocation: Invocation,
    request: Request<Body>,
) -> Result<Response<WasiBody>, WasiError> {
    let (head_sender, head) = oneshot::channel();
    let (frame_sender, frames) = mpsc::channel(FRAMES_MAX);
    let serving = tokio::spawn(async move {
        let response = match door.http(invocation, request).await {
            Ok(response) => response,
            Err(failure) => {
                // Nobody waits any more: nobody is told.
                let _ = head_sender.send(Err(of_call(&failure)));
                return;
            }
        };
        let (parts, mut body) = response.into_parts();
        if head_sender.send(Ok(parts)).is_err() {
            return;
        }
        while let Some(frame) = body.frame().await {
            if frame_sender.send(Some(frame.map_err(of_body))).await.is_err() {
                return;
            }
        }
        // Whoever is gone by now needs no end.
        let _ = frame_sender.send(None).await;
    });
    let serving = AbortOnDrop(serving.abort_handle());
    let parts = head.await.map_err(|_| WasiError::InternalError(Some("the call was cut short".to_owned())))??;
    Ok(Response::from_parts(parts, CallBody { frames, ended: false, _serving: serving }.boxed_unsync()))
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer's body without an end was cut short.
struct CallBody {
    frames: mpsc::Receiver<Option<Result<Frame<Bytes>, WasiError>>>,
    ended: bool,
    _serving: AbortOnDrop,
}

impl http_body::Body for CallBody {
    type Data = Bytes;
    type Error = WasiError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, WasiError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match std::task::ready!(self.frames.poll_recv(cx)) {
            Some(Some(frame)) => Poll::Ready(Some(frame)),
            Some(None) => {
                self.ended = true;
                Poll::Ready(None)
            }
            None => {
                self.ended = true;
                Poll::Ready(Some(Err(WasiError::ConnectionTerminated)))
            }
        }
    }
}

fn mark(request: &mut Request<WasiBody>, invocation: &Invocation) {
    let headers = request.headers_mut();
    // The gateway says these of requests from outside; a callee may trust them.
    let claimed: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in claimed {
        headers.remove(name);
    }
    let values = [
        (REQUEST_ID, HeaderValue::from_str(invocation.request_id.as_str())),
        (CORRELATION_ID, HeaderValue::from_str(invocation.correlation_id.as_str())),
        (TRACEPARENT, HeaderValue::from_str(&invocation.trace.to_string())),
    ];
    for (name, value) in values {
        // Ids are visible ASCII; one that is not would only go missing.
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::internal_target;

    #[test]
    fn only_names_of_components_are_internal() {
        let target = |uri: &'static str| internal_target(&uri.parse().expect("a URI")).map(str::to_owned);
        assert_eq!(target("http://orders.internal/x").as_deref(), Some("orders"));
        assert_eq!(target("http://orders.spin.internal:80/x").as_deref(), Some("orders"));
        assert_eq!(target("http://a.b.internal/"), None);
        assert_eq!(target("http://.internal/"), None);
        assert_eq!(target("http://orders.example/"), None);
    }
}
