//! Calls to another component of the same app, `http://NAME.internal/`: through the same door as every request, and
//! never over a socket.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use hull_dispatch::{Body, BodyError};
use hull_invocation::{Cause, Invocation, Slot};
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
        WasiError::LoopDetected
    })?;
    let now = hull_clock::now();
    let deadline = first_byte.and_then(|time| now.checked_add(time)).map_or(caller.deadline, |d| d.min(caller.deadline));
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
    let response: Response<Body> =
        egress.door.http(invocation, request).await.map_err(|failure| of_call(&failure))?;
    Ok(response.map(|body| body.map_err(of_body).boxed_unsync()))
}

fn mark(request: &mut Request<WasiBody>, invocation: &Invocation) {
    let headers = request.headers_mut();
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
