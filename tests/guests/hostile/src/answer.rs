//! The answer of a behaviour that the host did not end.

use hull_sdk::wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use hull_sdk::wasip2::io::streams::OutputStream;
use serde_json::Value;

/// Send the head; the stream goes before the body that it belongs to.
pub(crate) fn begin(out: ResponseOutparam) -> Option<(OutputStream, OutgoingBody)> {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().ok()?;
    ResponseOutparam::set(out, Ok(response));
    Some((body.write().ok()?, body))
}

/// A whole answer.
pub(crate) fn json(out: ResponseOutparam, value: &Value) {
    let Some((stream, body)) = begin(out) else { return };
    let _ = value.to_string().as_bytes().chunks(4096).all(|part| stream.blocking_write_and_flush(part).is_ok());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
