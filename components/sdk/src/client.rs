//! Requests to others over WASI 0.2: `http://<component>.internal/…` stays in the host's process. Several at once
//! are all started before the first answer is waited for.

use http::header::{CONTENT_TYPE, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, FutureIncomingResponse, Method, OutgoingRequest, Scheme};

use crate::error::{Error, Result};
use crate::response::Response;
use crate::serve;

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request with its whole body.
pub type Request = http::Request<Vec<u8>>;

/// No answer: it may or may not have been acted upon.
#[derive(Debug, thiserror::Error)]
#[error("{target}: {why}")]
pub struct NoAnswer {
    /// Who was asked.
    pub target: String,
    /// What happened.
    pub why: String,
}

impl From<NoAnswer> for Error {
    fn from(error: NoAnswer) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Text as one segment of a path or one value of a query.
pub fn encoded(text: &str) -> impl std::fmt::Display + '_ {
    percent_encoding::utf8_percent_encode(text, RESERVED)
}

/// A GET.
pub fn get(url: &str) -> Result<Request> {
    build(http::Request::get(url), Vec::new())
}

/// A POST of JSON.
pub fn post<T: Serialize>(url: &str, body: &T) -> Result<Request> {
    with_json(http::Request::post(url), body)
}

/// A PUT of JSON.
pub fn put<T: Serialize>(url: &str, body: &T) -> Result<Request> {
    with_json(http::Request::put(url), body)
}

fn with_json<T: Serialize>(builder: http::request::Builder, body: &T) -> Result<Request> {
    let body = serde_json::to_vec(body).map_err(|e| Error::Fault(format!("a body is not JSON: {e}")))?;
    let mut request = build(builder, body)?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

fn build(builder: http::request::Builder, body: Vec<u8>) -> Result<Request> {
    builder.body(body).map_err(|e| Error::Fault(format!("a request cannot be made: {e}")))
}

/// Ask and wait.
pub fn send(request: Request) -> Result<Response, NoAnswer> {
    let target = request.uri().to_string();
    let answer = start(request).and_then(|future| finish(&future));
    answer.map_err(|why| NoAnswer { target, why })
}

/// Ask all of them at once; the answers come in the order of the requests.
pub fn send_all<const N: usize>(requests: [Request; N]) -> [Result<Response, NoAnswer>; N] {
    let started = requests.map(|request| (request.uri().to_string(), start(request)));
    started.map(|(target, begun)| begun.and_then(|future| finish(&future)).map_err(|why| NoAnswer { target, why }))
}

/// The JSON of an answer; anything else means that the other side is not well.
pub fn read<T: DeserializeOwned>(who: &str, answer: &Response) -> Result<T> {
    let wrong = |e| Error::Unavailable(format!("{who} answered {} with something else: {e}", answer.status()));
    serde_json::from_slice(answer.body()).map_err(wrong)
}

fn start(request: Request) -> Result<FutureIncomingResponse, String> {
    let (head, bytes) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    let fields = Fields::from_list(&headers.collect::<Vec<_>>()).map_err(|e| format!("{e:?}"))?;
    let outgoing = OutgoingRequest::new(fields);
    let scheme = match head.uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        other => return Err(format!("cannot ask over {}", other.unwrap_or("nothing"))),
    };
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    let path = head.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    let refused = |()| "the request may not be made like this".to_owned();
    outgoing.set_method(&method(&head.method)).map_err(refused)?;
    outgoing.set_scheme(Some(&scheme)).map_err(refused)?;
    outgoing.set_authority(authority).map_err(refused)?;
    outgoing.set_path_with_query(path).map_err(refused)?;
    let body = outgoing.body().map_err(refused)?;
    let future = outgoing_handler::handle(outgoing, None).map_err(|e| format!("{e:?}"))?;
    // Who refuses or answers before having read all of it ends the body, and what it says tells why.
    let _ = serve::send(body, &bytes);
    Ok(future)
}

fn method(method: &http::Method) -> Method {
    match method.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "PATCH" => Method::Patch,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}

fn finish(future: &FutureIncomingResponse) -> Result<Response, String> {
    future.subscribe().block();
    let incoming = match future.get() {
        Some(Ok(answer)) => answer.map_err(|e| format!("{e:?}"))?,
        Some(Err(())) | None => return Err("the answer is gone".to_owned()),
    };
    let mut builder = http::Response::builder().status(incoming.status());
    for (name, value) in incoming.headers().entries() {
        builder = builder.header(name, value);
    }
    let body = incoming.consume().map_err(|()| "the body was taken before".to_owned())?;
    let bytes = serve::read(&body)?.ok_or("the answer is too large")?;
    builder.body(bytes).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_stay_segments() {
        assert_eq!(encoded("a/b?c d~é").to_string(), "a%2Fb%3Fc%20d~%C3%A9");
        let id = "01900000-0000-7000-8000-000000000001";
        assert_eq!(encoded(id).to_string(), id);
    }
}
