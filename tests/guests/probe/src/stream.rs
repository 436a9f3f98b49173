//! Bodies of any length, a piece at a time.

use hull_sdk::wasip2::http::types::{FutureTrailers, IncomingBody, IncomingRequest, ResponseOutparam};
use hull_sdk::wasip2::io::streams::StreamError;
use serde_json::{Map, Value, json};

use crate::answer::{self, Answer};

const PIECE_BYTES: u64 = 64 * 1024;

/// Feed every piece of a request's body to `take`, until it says no or the body ends. What is told at the end is the
/// trailers, or how the body broke off.
fn pieces(request: &IncomingRequest, mut take: impl FnMut(&[u8]) -> bool) -> Result<Map<String, Value>, String> {
    let body = request.consume().map_err(|()| "the body was taken before".to_owned())?;
    let stream = body.stream().map_err(|()| "the stream was taken before".to_owned())?;
    loop {
        match stream.blocking_read(PIECE_BYTES) {
            Ok(piece) => {
                if !take(&piece) {
                    return Ok(Map::new());
                }
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
    drop(stream);
    Ok(trailers(&IncomingBody::finish(body)))
}

fn trailers(future: &FutureTrailers) -> Map<String, Value> {
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(Some(fields)))) => {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            fields.entries().into_iter().map(|(name, value)| (name, text(value).into())).collect()
        }
        _ => Map::new(),
    }
}

/// The whole body, and its trailers.
pub(crate) fn whole(request: &IncomingRequest) -> (Result<Vec<u8>, String>, Map<String, Value>) {
    let mut bytes = Vec::new();
    let ended = pieces(request, |piece| {
        bytes.extend_from_slice(piece);
        true
    });
    match ended {
        Ok(trailers) => (Ok(bytes), trailers),
        Err(why) => (Err(why), Map::new()),
    }
}

/// Count the bytes of the body and tell the number.
pub(crate) fn count(request: &IncomingRequest, out: ResponseOutparam) {
    let mut bytes = 0_u64;
    let ended = pieces(request, |piece| {
        bytes += piece.len() as u64;
        true
    });
    answer::json(out, 200, &json!({"bytes": bytes, "broken": ended.err()}));
}

/// Send so many bytes, each the low byte of its place, so that a lost piece shows.
pub(crate) fn generate(bytes: u64, out: ResponseOutparam) {
    let pattern: Vec<u8> = (0..=255_u8).cycle().take(usize::try_from(PIECE_BYTES).unwrap_or(65536) + 256).collect();
    let Some(answer) = Answer::begin(out, 200, &[("content-type", "application/octet-stream")]) else { return };
    let mut sent = 0_u64;
    while sent < bytes {
        let from = usize::try_from(sent % 256).unwrap_or(0);
        let length = usize::try_from((bytes - sent).min(PIECE_BYTES)).unwrap_or(0);
        let Some(piece) = pattern.get(from..from + length) else { return };
        let Some(taken) = answer.write_some(piece) else { return };
        sent += taken as u64;
    }
    answer.end(b"");
}

/// Send back what comes, as it comes.
pub(crate) fn copy(request: &IncomingRequest, out: ResponseOutparam) {
    let Some(answer) = Answer::begin(out, 200, &[("content-type", "application/octet-stream")]) else { return };
    if pieces(request, |piece| answer.write(piece)).is_ok() {
        answer.end(b"");
    }
}
