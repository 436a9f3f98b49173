//! Responses, whole or begun: what a well-behaved handler writes.

use hull_sdk::wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use hull_sdk::wasip2::io::streams::OutputStream;
use serde_json::Value;

/// A response whose head is out.
pub(crate) struct Answer {
    // Dropped before the body that it belongs to.
    stream: OutputStream,
    body: OutgoingBody,
}

impl Answer {
    /// Send the head.
    pub(crate) fn begin(out: ResponseOutparam, status: u16, headers: &[(&str, &str)]) -> Option<Self> {
        let entries: Vec<(String, Vec<u8>)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let response = OutgoingResponse::new(Fields::from_list(&entries).ok()?);
        response.set_status_code(status).ok()?;
        let body = response.body().ok()?;
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().ok()?;
        Some(Self { stream, body })
    }

    /// Send some of the body; false when nobody takes it any more.
    pub(crate) fn write(&self, bytes: &[u8]) -> bool {
        bytes.chunks(4096).all(|part| self.stream.blocking_write_and_flush(part).is_ok())
    }

    /// Send as much as there is room for, up to what is given, and say how much; none when nobody takes it any more.
    pub(crate) fn write_some(&self, bytes: &[u8]) -> Option<usize> {
        loop {
            let room = usize::try_from(self.stream.check_write().ok()?).unwrap_or(usize::MAX).min(bytes.len());
            if room > 0 {
                self.stream.write(bytes.get(..room)?).ok()?;
                return Some(room);
            }
            self.stream.subscribe().block();
        }
    }

    /// Send the rest and end the body.
    pub(crate) fn end(self, bytes: &[u8]) {
        let Self { body, stream } = self;
        let _ = bytes.chunks(4096).all(|part| stream.blocking_write_and_flush(part).is_ok());
        let _ = stream.blocking_flush();
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

/// A whole response of text.
pub(crate) fn text(out: ResponseOutparam, status: u16, text: &str) {
    if let Some(answer) = Answer::begin(out, status, &[("content-type", "text/plain; charset=utf-8")]) {
        answer.end(text.as_bytes());
    }
}

/// A whole response of JSON.
pub(crate) fn json(out: ResponseOutparam, status: u16, value: &Value) {
    if let Some(answer) = Answer::begin(out, status, &[("content-type", "application/json")]) {
        answer.end(value.to_string().as_bytes());
    }
}
