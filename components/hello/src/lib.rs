//! The smallest WASI 0.2 service: one fixed answer, so that a bench measures the host and not the guest.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

const ANSWER: &[u8] = b"Hello, Hull!\n";

struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        let Ok(body) = body else { return };
        if let Ok(stream) = body.write() {
            // Not the blocking write, which would wait until the client's side has taken the bytes.
            if stream.check_write().is_ok_and(|room| room >= ANSWER.len() as u64) {
                let _ = stream.write(ANSWER);
            }
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Hello);
