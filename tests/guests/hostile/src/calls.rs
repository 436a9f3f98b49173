//! Requests to others, to oneself and round in a ring. Who is called is the setting `next`.

use hull_sdk::config;
use hull_sdk::wasip2::http::outgoing_handler;
use hull_sdk::wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use hull_sdk::wasip2::io::streams::{OutputStream, StreamError};
use serde_json::{Value, json};

use crate::cpu;

/// Calls of the flood.
const CALLS: usize = 100_000;
/// Calls one after the other: more than anybody has time for.
const CALLS_IN_TURN: usize = 1_000_000;
/// Calls that each of the forks makes.
const FORKS: usize = 16;
/// Requests to the network at once.
const OUTSIDE: usize = 64;
const PIECE_BYTES: usize = 64 * 1024;
/// Of a body that should have been refused long before.
const BODY_BYTES: usize = 1 << 30;
/// As much of an answer as is looked at.
const ANSWER_BYTES: u64 = 64 * 1024;

fn next() -> String {
    config::get("next").ok().flatten().unwrap_or_default()
}

fn request(path: &str) -> OutgoingRequest {
    let request = OutgoingRequest::new(Fields::new());
    let _ = request.set_method(&Method::Get);
    let _ = request.set_scheme(Some(&Scheme::Http));
    let _ = request.set_authority(Some(&next()));
    let _ = request.set_path_with_query(Some(path));
    request
}

fn start(path: &str) -> Option<FutureIncomingResponse> {
    outgoing_handler::handle(request(path), None).ok()
}

/// The status, or the error's name.
fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    future.subscribe().block();
    let ended = future.get().ok_or("no answer")?.map_err(|()| "taken before")?;
    ended.map_err(|error| format!("{error:?}"))
}

/// How many were answered, and how the last one that was not failed.
fn told(ended: impl Iterator<Item = Result<IncomingResponse, String>>) -> Value {
    let (mut answered, mut failed, mut why) = (0_usize, 0_usize, String::new());
    for one in ended {
        match one {
            Ok(_) => answered += 1,
            Err(error) => {
                failed += 1;
                why = error;
            }
        }
    }
    json!({"answered": answered, "failed": failed, "why": why})
}

/// A million calls, one after the other.
pub(crate) fn in_turn() -> Value {
    told((0..CALLS_IN_TURN).filter_map(|_| start("/hello")).map(|future| wait(&future)))
}

/// A hundred thousand calls without waiting for any.
pub(crate) fn at_once() -> Value {
    let futures: Vec<_> = (0..CALLS).filter_map(|_| start("/sleep")).collect();
    told(futures.iter().map(wait))
}

/// Each calls sixteen that do the same, waits for all of them, and begins again.
pub(crate) fn fork() -> Value {
    loop {
        let futures: Vec<_> = (0..FORKS).filter_map(|_| start("/fork")).collect();
        told(futures.iter().map(wait));
    }
}

/// Each calls the next one, and the last one the first. What comes back is how deep it went, and why no deeper.
pub(crate) fn ring() -> Value {
    let Some(future) = start("/ring") else { return json!({"depth": 1, "why": "not started"}) };
    match wait(&future) {
        Ok(response) => {
            let mut below: Value = serde_json::from_slice(&read(&response)).unwrap_or_default();
            let depth = below.get("depth").and_then(Value::as_u64).unwrap_or(0) + 1;
            if let Some(place) = below.get_mut("depth") {
                *place = depth.into();
            }
            below
        }
        Err(why) => json!({"depth": 1, "why": why}),
    }
}

fn read(response: &IncomingResponse) -> Vec<u8> {
    let Ok(body) = response.consume() else { return Vec::new() };
    let Ok(stream) = body.stream() else { return Vec::new() };
    let mut bytes = Vec::new();
    while let Ok(piece) = stream.blocking_read(ANSWER_BYTES) {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

/// Many requests over the network to somebody who never answers.
pub(crate) fn outside() -> Value {
    let futures: Vec<_> = (0..OUTSIDE).filter_map(|_| start("/")).collect();
    told(futures.iter().map(wait))
}

/// A request with a body of a gibibyte: how much of it was taken, why no more, and the answer.
pub(crate) fn send_endlessly() -> Value {
    let request = request("/upload");
    let _ = request.set_method(&Method::Post);
    let Ok(body) = request.body() else { return Value::Null };
    let Ok(stream) = body.write() else { return Value::Null };
    let Ok(future) = outgoing_handler::handle(request, None) else { return Value::Null };
    let piece = vec![b'x'; PIECE_BYTES];
    let mut sent = 0;
    let mut why = None;
    while sent < BODY_BYTES && why.is_none() {
        match write_some(&stream, &piece) {
            Ok(written) => sent += written,
            Err(StreamError::Closed) => why = Some("closed".to_owned()),
            Err(StreamError::LastOperationFailed(error)) => why = Some(error.to_debug_string()),
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
    let answer = wait(&future).map(|response| String::from_utf8_lossy(&read(&response)).into_owned());
    json!({"sent": sent, "why": why, "answer": answer.unwrap_or_else(|why| why)})
}

/// As much as there is room for.
fn write_some(stream: &OutputStream, piece: &[u8]) -> Result<usize, StreamError> {
    let room = usize::try_from(stream.check_write()?).unwrap_or(piece.len()).min(piece.len());
    match piece.get(..room) {
        Some(part) if room > 0 => stream.write(part).map(|()| room),
        _ => {
            stream.subscribe().block();
            Ok(0)
        }
    }
}

/// Ask for a body without end and read nothing of it.
pub(crate) fn leave_unread() -> Value {
    let future = start("/endless-body");
    let response = future.as_ref().map(wait);
    let _held = response.map(|response| response.map(|response| (response.consume(), response)));
    cpu::sleep()
}
