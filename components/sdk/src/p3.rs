//! WASI 0.3: an asynchronous handler, and requests to others that wait for one another with a join.

use bytes::Bytes;
use futures_util::future::join_all;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, Full, Limited};
use wasip3::http::types::{ErrorCode, Request as RawRequest, Response as RawResponse};
use wasip3::http_compat::{
    http_from_wasi_request, http_from_wasi_response, http_into_wasi_request, http_into_wasi_response,
};

use crate::client::{NoAnswer, Request as Outgoing};
use crate::error::Result;
use crate::request::{BODY_BYTES_MAX, Request};
use crate::response::Response;
use crate::router::Router;
use crate::serve::REQUEST_ID;

/// Ask and wait, while others may run.
pub async fn send(request: Outgoing) -> Result<Response, NoAnswer> {
    let target = request.uri().to_string();
    ask(request).await.map_err(|why| NoAnswer { target, why })
}

/// Ask all of them at once; the answers come in the order of the requests.
pub async fn send_all(requests: Vec<Outgoing>) -> Vec<Result<Response, NoAnswer>> {
    join_all(requests.into_iter().map(send)).await
}

async fn ask(request: Outgoing) -> Result<Response, String> {
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let raw = http_into_wasi_request(request).map_err(|e| format!("{e:?}"))?;
    let answer = wasip3::http::client::send(raw).await.map_err(|e| format!("{e:?}"))?;
    let (head, body) = http_from_wasi_response(answer).map_err(|e| format!("{e:?}"))?.into_parts();
    let bytes = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|e| e.to_string())?.to_bytes();
    Ok(Response::from_parts(head, bytes.into()))
}

/// Read a request, find its route, hand both to `handle`, write what comes back; the macro calls this.
#[doc(hidden)]
pub async fn run<H: Copy, F>(raw: RawRequest, routes: Router<H>, handle: F) -> Result<RawResponse, ErrorCode>
where
    F: AsyncFnOnce(H, Request) -> Result<Response>,
{
    let (head, body) = http_from_wasi_request(raw)?.into_parts();
    let id = head.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let answer = match routes.find(&head.method, head.uri.path()) {
        Err(missed) => Err(missed.into_problem(head.uri.path()).into()),
        Ok(found) => {
            let bytes = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| too_large())?.to_bytes();
            let request = Request::new(http::Request::from_parts(head, bytes.into())).with_params(found.params);
            handle(found.handler, request).await
        }
    };
    let mut response = answer.unwrap_or_else(|error| error.into_problem().into_response(id.as_deref()));
    let length = response.body().len();
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    http_into_wasi_response(response.map(|body| Full::new(Bytes::from(body))))
}

fn too_large() -> ErrorCode {
    ErrorCode::HttpRequestBodySize(Some(BODY_BYTES_MAX as u64))
}

/// Export `fn() -> Router<H>` and `async fn(H, Request) -> Result<Response>` as the WASI 0.3 handler.
#[macro_export]
macro_rules! http_component_p3 {
    ($routes:path, $handle:path) => {
        struct HullHttp;

        impl $crate::wasip3::exports::http::handler::Guest for HullHttp {
            async fn handle(
                request: $crate::wasip3::http::types::Request,
            ) -> Result<$crate::wasip3::http::types::Response, $crate::wasip3::http::types::ErrorCode> {
                $crate::p3::run(request, $routes(), $handle).await
            }
        }

        $crate::wasip3::http::service::export!(HullHttp);
    };
}
