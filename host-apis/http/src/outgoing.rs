//! The hook through which every outgoing request of a guest passes, whichever generation of `wasi:http` it speaks.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Limited};
use hull_invocation::Invocation;
use tokio::time::Sleep;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as WasiError, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use crate::call::{call, internal_target};
use crate::connector::{host_of, port_of};
use crate::egress::Egress;
use crate::failure::of_client;

/// One instance's way out, for the invocation it serves.
pub struct OutgoingHttp {
    egress: Arc<Egress>,
    caller: Arc<Invocation>,
}

type Sent = Result<(Response<WasiBody>, Written), WasiError>;
type Written = Box<dyn Future<Output = Result<(), WasiError>> + Send>;

impl OutgoingHttp {
    /// For one invocation.
    pub fn new(egress: Arc<Egress>, caller: Arc<Invocation>) -> Self {
        Self { egress, caller }
    }
}

/// Made once: the default makes one for every set of headers.
static FORBIDDEN: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)));

impl WasiHttpHooks for OutgoingHttp {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&FORBIDDEN)
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 << 10
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        64 << 10
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Written,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let egress = Arc::clone(&self.egress);
        let caller = Arc::clone(&self.caller);
        Box::new(async move {
            let response = send(&egress, &caller, request, options.unwrap_or_default()).await?;
            Ok((response, Box::new(async { Ok(()) }) as Written))
        })
    }
}

async fn send(
    egress: &Egress,
    caller: &Invocation,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response<WasiBody>, WasiError> {
    let uri = request.uri();
    let host = host_of(uri).ok_or(WasiError::HttpRequestUriInvalid)?.to_owned();
    let scheme = uri.scheme().cloned().unwrap_or(Scheme::HTTP);
    if let Err(refusal) = egress.allowed.check_host(&scheme, &host, port_of(uri)) {
        tracing::warn!(component = %caller.target, %refusal, "an outgoing request was refused");
        return Err(WasiError::HttpRequestDenied);
    }
    if let Some(target) = internal_target(uri) {
        let target = target.to_owned();
        let most = egress.limits.body_bytes_max;
        let request = request.map(|body| limited(body, most, WasiError::HttpRequestBodySize));
        let response = call(egress, caller, &target, options.first_byte_timeout, request).await?;
        return Ok(response.map(|body| limited(body, most, WasiError::HttpResponseBodySize)));
    }
    let now = hull_clock::now();
    let until = now.checked_add(egress.limits.time).map_or(caller.deadline, |end| end.min(caller.deadline));
    let first_byte = options.first_byte_timeout.and_then(|time| now.checked_add(time));
    let head_until = first_byte.map_or(until, |end| end.min(until));
    let sent = tokio::time::timeout_at(head_until.into(), send_outside(egress, request)).await;
    let response = sent.unwrap_or(Err(WasiError::HttpResponseTimeout))?;
    Ok(response.map(|body| TimedBody { body, until, sleep: None }.boxed_unsync()))
}

/// A body that must have ended by a time: to the last byte, as `limits.outbound.time` says.
struct TimedBody {
    body: WasiBody,
    until: Instant,
    /// Armed when the body is waited for.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for TimedBody {
    type Data = Bytes;
    type Error = WasiError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, WasiError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let until = self.until;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.into())));
        sleep.as_mut().poll(cx).map(|()| Some(Err(WasiError::HttpResponseTimeout)))
    }
}

/// Over the network. The component's place is held until the response's body has ended.
async fn send_outside(egress: &Egress, request: Request<WasiBody>) -> Result<Response<WasiBody>, WasiError> {
    let place = Arc::clone(&egress.places).acquire_owned().await;
    let place = place.map_err(|_| WasiError::ConnectionLimitReached)?;
    let body_bytes_max = egress.limits.body_bytes_max;
    let request = request.map(|body| limited(body, body_bytes_max, WasiError::HttpRequestBodySize));
    let response = egress.client.request(request).await.map_err(|error| of_client(&error))?;
    Ok(response.map(|body| {
        let body = body.map_err(move |error| {
            let _held = &place;
            WasiError::from(error)
        });
        limited(body, body_bytes_max, WasiError::HttpResponseBodySize)
    }))
}

fn limited<B>(body: B, bytes_max: u64, too_large: fn(Option<u64>) -> WasiError) -> WasiBody
where
    B: http_body::Body<Data = Bytes, Error = WasiError> + Send + 'static,
{
    let most = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    Limited::new(body, most)
        .map_err(move |error| match error.downcast::<WasiError>() {
            Ok(error) => *error,
            Err(_) => too_large(Some(bytes_max)),
        })
        .boxed_unsync()
}
