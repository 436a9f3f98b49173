//! The smallest WASI 0.3 service: one fixed answer, so that a bench measures the host and not the guest.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

struct Hello;

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let (mut body, body_reader) = wit_stream::new();
        let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
        // The default of a dropped writer is the value given above: no trailers.
        drop(trailers);
        let (response, _sent) = Response::new(Fields::new(), Some(body_reader), trailers_reader);
        wasip3::spawn_local(async move {
            // What is left over after a reader went away has nobody to go to.
            let _ = body.write_all(b"Hello, Hull!\n".to_vec()).await;
        });
        Ok(response)
    }
}

wasip3::http::service::export!(Hello);
