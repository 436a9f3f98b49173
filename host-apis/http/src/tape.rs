//! Calls that are written down while they are made, and calls that are answered from what was written down: for the
//! parallel run of a new version, which must see what the old one saw and reach nobody.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hull_invocation::{Player, TAPED_BODY_BYTES_MAX, Tape, TapedCall};
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

/// The answer to a call that is not made.
pub(crate) async fn played(player: &Player, request: Request<WasiBody>) -> Result<Response<WasiBody>, WasiError> {
    let (parts, mut body) = request.into_parts();
    let call = player.answer(parts.method.as_str(), &parts.uri.to_string()).ok_or(WasiError::HttpRequestDenied)?;
    // The guest writes it to its end, as it did when the call was made.
    while let Some(frame) = body.frame().await {
        frame?;
    }
    let body = Full::new(call.body).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::builder().status(call.status);
    for (name, value) in &call.headers {
        let value: &[u8] = value;
        response = response.header(name, value);
    }
    response.body(body).map_err(|error| WasiError::InternalError(Some(error.to_string())))
}

/// Who is called, to be written down with the answer.
pub(crate) struct Asked {
    tape: Arc<Tape>,
    method: String,
    url: String,
}

impl Asked {
    /// If the calls of this invocation are written down.
    pub(crate) fn of(tape: Option<&Arc<Tape>>, request: &Request<WasiBody>) -> Option<Self> {
        let tape = Arc::clone(tape?);
        Some(Self { tape, method: request.method().as_str().to_owned(), url: request.uri().to_string() })
    }

    /// Write the answer down as it is read. One that is too large, or is not read to its end, is left out.
    pub(crate) fn answered(self, response: Response<WasiBody>) -> Response<WasiBody> {
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())));
        let call = TapedCall {
            method: self.method,
            url: self.url,
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: Bytes::new(),
        };
        let tape = self.tape;
        response.map(|body| Taped { body, taped: Some((tape, call, BytesMut::new())) }.boxed_unsync())
    }
}

struct Taped {
    body: WasiBody,
    /// None once it is written down, or cannot be.
    taped: Option<(Arc<Tape>, TapedCall, BytesMut)>,
}

impl Taped {
    fn took(&mut self, frame: &Frame<Bytes>) {
        let (Some((_, _, bytes)), Some(data)) = (&mut self.taped, frame.data_ref()) else { return };
        if bytes.len() + data.len() > TAPED_BODY_BYTES_MAX {
            self.taped = None;
        } else {
            bytes.extend_from_slice(data);
        }
    }

    fn ended(&mut self) {
        let Some((tape, call, bytes)) = self.taped.take() else { return };
        if let Tape::Recording(recorder) = &*tape {
            recorder.write(TapedCall { body: bytes.freeze(), ..call });
        }
    }
}

impl Body for Taped {
    type Data = Bytes;
    type Error = WasiError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, WasiError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.ended(),
            Some(Err(_)) => self.taped = None,
            Some(Ok(data)) => self.took(data),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Taped {
    fn drop(&mut self) {
        // Nobody polls again after a frame that says it is the last.
        if self.body.is_end_stream() {
            self.ended();
        }
    }
}
