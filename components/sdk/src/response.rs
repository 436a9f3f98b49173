//! Answers: plain `http` responses with their whole body, and short ways to make the usual ones.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use serde::Serialize;

use crate::error::{Error, Result};

/// An answer, or what another service answered.
pub type Response = http::Response<Vec<u8>>;

/// A JSON answer.
pub fn json<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Result<Response> {
    let body = serde_json::to_vec(body).map_err(|e| Error::Fault(format!("an answer is not JSON: {e}")))?;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// 200 with JSON.
pub fn ok<T: Serialize + ?Sized>(body: &T) -> Result<Response> {
    json(StatusCode::OK, body)
}

/// JSON that says where the thing can be found: 201 for what is there, 202 for what is on its way.
pub fn located<T: Serialize + ?Sized>(status: StatusCode, location: &str, body: &T) -> Result<Response> {
    let mut response = json(status, body)?;
    let location = HeaderValue::from_str(location).map_err(|e| Error::Fault(format!("a bad Location: {e}")))?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// 204.
pub fn no_content() -> Response {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
