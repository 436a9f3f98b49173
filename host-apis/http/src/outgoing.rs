//! The hook through which every outgoing request of a guest passes, whichever generation of `wasi:http` it speaks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::BodyExt;
use hull_invocation::Invocation;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as WasiError, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use crate::body::{Until, sized, timed};
use crate::call::{call, internal_target};
use crate::connector::{host_of, port_of};
use crate::egress::Egress;
use crate::failure::of_client;
use crate::places::Place;
use crate::tape::{Asked, played};

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

pub(crate) async fn send(
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
    let tape = caller.lineage.frame().tape();
    if let Some(player) = tape.and_then(|tape| tape.player()) {
        return played(player, request).await;
    }
    let asked = Asked::of(tape, &request);
    let response = send_granted(egress, caller, request, options).await?;
    Ok(match asked {
        Some(asked) => asked.answered(response),
        None => response,
    })
}

async fn send_granted(
    egress: &Egress,
    caller: &Invocation,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response<WasiBody>, WasiError> {
    if let Some(target) = internal_target(request.uri()) {
        let target = target.to_owned();
        let too_large = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&too_large);
        let refuse = move |bytes_max| {
            noted.store(true, Ordering::Release);
            WasiError::HttpRequestBodySize(bytes_max)
        };
        let request = request.map(|body| sized(egress, body, refuse));
        let response = call(egress, caller, &target, options.first_byte_timeout, request).await;
        // The callee fails because its request breaks off: the caller is told why it does.
        let response = response.map_err(|error| {
            let too_large = too_large.load(Ordering::Acquire);
            if too_large { WasiError::HttpRequestBodySize(Some(egress.limits.body_bytes_max)) } else { error }
        })?;
        return Ok(response.map(|body| sized(egress, body, WasiError::HttpResponseBodySize)));
    }
    let now = hull_clock::now();
    let until = Until::of(egress, now, caller.deadline);
    let first_byte = options.first_byte_timeout.and_then(|time| now.checked_add(time)).filter(|end| *end < until.at);
    let head_until = first_byte.map_or(until, |at| Until { at, is_own: false });
    let place = egress.place(now, head_until.at).await?;
    let sent = tokio::time::timeout_at(head_until.at.into(), send_outside(egress, place, request)).await;
    let response = sent.unwrap_or_else(|_| Err(head_until.passed(&*egress.rejected)))?;
    Ok(response.map(|body| timed(egress, body, until)))
}

/// Over the network. The component's place is held until the response's body has ended.
async fn send_outside(
    egress: &Egress,
    place: Place,
    request: Request<WasiBody>,
) -> Result<Response<WasiBody>, WasiError> {
    let request = request.map(|body| sized(egress, body, WasiError::HttpRequestBodySize));
    let response = egress.client().request(request).await.map_err(|error| of_client(&error))?;
    Ok(response.map(|body| {
        let body = body.map_err(move |error| {
            let _held = &place;
            WasiError::from(error)
        });
        sized(egress, body, WasiError::HttpResponseBodySize)
    }))
}
