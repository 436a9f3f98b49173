//! Bodies in and out.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::StreamError;

/// The longest note.
const TEXT_CHARS_MAX: usize = 1000;
/// Nothing longer than this can be a note.
const TEXT_BYTES_MAX: usize = TEXT_CHARS_MAX * 4;

/// The body as text, if it is a note.
pub fn text_of(request: &IncomingRequest) -> Option<String> {
    let body = request.consume().ok()?;
    let stream = body.stream().ok()?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(more) => bytes.extend_from_slice(&more),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return None,
        }
        if bytes.len() > TEXT_BYTES_MAX {
            return None;
        }
    }
    note(bytes)
}

fn note(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let text = text.trim();
    (1..=TEXT_CHARS_MAX).contains(&text.chars().count()).then(|| text.to_owned())
}

/// Answer a request.
pub fn send(out: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).expect("a valid status");
    let body = response.body().expect("taken once");
    // The head goes out first, then the body.
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("taken once");
    // `blocking_write_and_flush` takes 4096 bytes at a time. A client that has gone away is nobody to tell.
    for part in text.as_bytes().chunks(4096) {
        if stream.blocking_write_and_flush(part).is_err() {
            return;
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

#[cfg(test)]
mod tests {
    use super::{TEXT_CHARS_MAX, note};

    #[test]
    fn notes_are_short_texts() {
        assert_eq!(note(b" milk \n".to_vec()).as_deref(), Some("milk"));
        assert_eq!(note(b"\n".to_vec()), None);
        assert_eq!(note(vec![0xff]), None);
        assert_eq!(note(vec![b'x'; TEXT_CHARS_MAX + 1]), None);
    }
}
