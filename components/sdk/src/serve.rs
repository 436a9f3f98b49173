//! The WASI 0.2 handler: reads the request, finds the route, writes the answer.

use http::StatusCode;
use http::header::CONTENT_LENGTH;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::request::{BODY_BYTES_MAX, Request};
use crate::response::Response;
use crate::router::Router;

/// What a route leads to.
pub type Handler = fn(&Request) -> Result<Response>;

/// The routes of a service with a WASI 0.2 handler.
pub type Routes = Router<Handler>;

/// Where the host says which request this is.
pub(crate) const REQUEST_ID: &str = "x-request-id";
const READ_BYTES_MAX: u64 = 64 * 1024;

/// Answer a request; the macro calls this.
#[doc(hidden)]
pub fn run(incoming: &IncomingRequest, out: ResponseOutparam, routes: &Routes) {
    let id = incoming.headers().get(REQUEST_ID).into_iter().next().and_then(|id| String::from_utf8(id).ok());
    let told = |error: Error| error.into_problem().into_response(id.as_deref());
    let mut response = answer(incoming, routes).unwrap_or_else(told);
    let length = response.body().len();
    // For HEAD too: the server leaves the body out, and a length without a body would be refused here.
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    write(response, out);
}

fn answer(incoming: &IncomingRequest, routes: &Routes) -> Result<Response> {
    let head = parts(incoming)?;
    let found = match routes.find(head.method(), head.uri().path()) {
        Ok(found) => found,
        Err(missed) => return Err(missed.into_problem(head.uri().path()).into()),
    };
    let body = match incoming.method() {
        Method::Get | Method::Head => Vec::new(),
        _ => request_body(incoming)?,
    };
    let request = Request::new(head.map(|()| body)).with_params(found.params);
    (found.handler)(&request)
}

fn parts(incoming: &IncomingRequest) -> Result<http::Request<()>> {
    let path = incoming.path_with_query().unwrap_or_else(|| "/".to_owned());
    let mut builder = http::Request::builder().method(method(&incoming.method())).uri(path);
    for (name, value) in incoming.headers().entries() {
        builder = builder.header(name, value);
    }
    Ok(builder.body(()).map_err(|e| Problem::bad_request(format!("the request cannot be read: {e}")))?)
}

fn method(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}

fn request_body(incoming: &IncomingRequest) -> Result<Vec<u8>> {
    let gone = || Error::Fault("the body was taken before".to_owned());
    let body = incoming.consume().map_err(|()| gone())?;
    match read(&body) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => {
            let told = format!("the body is larger than {BODY_BYTES_MAX} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, told).into())
        }
        Err(why) => Err(Problem::bad_request(format!("the body broke off: {why}")).into()),
    }
}

/// All of a body, or none if it is larger than the bound.
pub(crate) fn read(body: &IncomingBody) -> std::result::Result<Option<Vec<u8>>, String> {
    let stream: InputStream = body.stream().map_err(|()| "the stream was taken before".to_owned())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES_MAX) {
            Ok(more) => bytes.extend_from_slice(&more),
            Err(StreamError::Closed) => return Ok(Some(bytes)),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Ok(None);
        }
    }
}

fn write(response: Response, out: ResponseOutparam) {
    let (head, bytes) = response.into_parts();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    let Ok(fields) = Fields::from_list(&headers.collect::<Vec<_>>()) else {
        let told = "a response header that may not be set".to_owned();
        return ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some(told))));
    };
    let outgoing = OutgoingResponse::new(fields);
    let status = outgoing.set_status_code(head.status.as_u16());
    let (Ok(()), Ok(body)) = (status, outgoing.body()) else {
        return ResponseOutparam::set(out, Err(ErrorCode::InternalError(None)));
    };
    ResponseOutparam::set(out, Ok(outgoing));
    // After the head is out, a client that went away is nobody to tell.
    let _ = send(body, &bytes);
}

/// Write a whole body and end it.
pub(crate) fn send(body: OutgoingBody, bytes: &[u8]) -> std::result::Result<(), String> {
    if !bytes.is_empty() {
        let stream = body.write().map_err(|()| "the stream was taken before".to_owned())?;
        write_all(&stream, bytes).map_err(|e| format!("{e:?}"))?;
    }
    OutgoingBody::finish(body, None).map_err(|e| format!("{e:?}"))
}

fn write_all(stream: &OutputStream, mut bytes: &[u8]) -> std::result::Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = stream.check_write()?;
        let take = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        if take == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = bytes.split_at(take);
        stream.write(now)?;
        bytes = later;
    }
    // Nobody waits for the flush to be done: the end of the body comes after all of it anyway.
    stream.flush()
}

/// Export `fn() -> Routes` as the WASI 0.2 handler of this component.
#[macro_export]
macro_rules! http_component {
    ($routes:path) => {
        struct HullHttp;

        impl $crate::wasip2::exports::http::incoming_handler::Guest for HullHttp {
            fn handle(
                request: $crate::wasip2::http::types::IncomingRequest,
                out: $crate::wasip2::http::types::ResponseOutparam,
            ) {
                $crate::serve::run(&request, out, &$routes());
            }
        }

        $crate::wasip2::http::proxy::export!(HullHttp);
    };
}
