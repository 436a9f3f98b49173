//! Bodies that have no end, or that nobody reads.

use hull_sdk::wasip2::http::types::{IncomingRequest, ResponseOutparam};

use crate::{answer, cpu};

const PIECE_BYTES: usize = 64 * 1024;

/// A head and some of a body, and then nothing for ever.
pub(crate) fn unfinished(out: ResponseOutparam) {
    let Some((stream, _body)) = answer::begin(out) else { return };
    let _ = stream.blocking_write_and_flush(b"the first half");
    cpu::sleep();
}

/// A body that goes on as long as somebody takes it.
pub(crate) fn endless_body(out: ResponseOutparam) {
    let Some((stream, _body)) = answer::begin(out) else { return };
    let piece = vec![b'x'; PIECE_BYTES];
    loop {
        let Ok(room) = stream.check_write() else { return };
        let room = usize::try_from(room).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        if room == 0 {
            stream.subscribe().block();
        } else if stream.write(piece.get(..room).unwrap_or_default()).is_err() {
            return;
        }
    }
}

/// Take the request, leave its body where it is, and never answer.
pub(crate) fn unread(request: IncomingRequest, out: ResponseOutparam) {
    let _held = (request.consume(), request, out);
    cpu::sleep();
}
