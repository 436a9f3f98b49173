//! What a guest of WASI 0.3 can do to its host and to those it shares an instance with, beyond what one of WASI 0.2
//! can: tasks, streams and waits without number, and work that goes on after the answer.

use futures_util::future::join_all;
use hull_sdk::wasip3;
use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

/// Streams, or waits, to hold at once.
const HELD: usize = 1_000_000;
const PIECE_BYTES: usize = 64 * 1024;
/// Longer than anybody waits, in nanoseconds.
const YEAR_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;

struct Hostile;

impl wasip3::exports::http::handler::Guest for Hostile {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let told = match target.rsplit('/').next().unwrap_or_default() {
            "loop" => spin(),
            "sleep" => {
                monotonic_clock::wait_for(YEAR_NS).await;
                0
            }
            "streams" => streams(),
            "waits" => join_all((0..HELD).map(|_| monotonic_clock::wait_for(YEAR_NS))).await.len(),
            "grow" => grow(),
            "loop-later" => {
                wasip3::spawn_local(async { spin() });
                0
            }
            "endless-body" => return Ok(endless_body()),
            _ => 0,
        };
        Ok(answer(told.to_string().into_bytes()))
    }
}

wasip3::http::service::export!(Hostile);

/// Compute without end.
fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

/// Hold both ends of many streams.
fn streams() -> usize {
    let held: Vec<_> = (0..HELD).map(|_| wit_stream::new::<u8>()).collect();
    held.len()
}

/// Take memory and use all of it.
fn grow() -> usize {
    let taken: Vec<Vec<u8>> = (0..HELD).map(|_| std::hint::black_box(vec![1_u8; PIECE_BYTES])).collect();
    taken.len()
}

fn answer(bytes: Vec<u8>) -> Response {
    let (mut body, reader) = wit_stream::new();
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    drop(trailers);
    let (response, _sent) = Response::new(Fields::new(), Some(reader), trailers_reader);
    wasip3::spawn_local(async move {
        // What is left over after a reader went away has nobody to go to.
        let _ = body.write_all(bytes).await;
    });
    response
}

/// A body that goes on as long as somebody takes it.
fn endless_body() -> Response {
    let (mut body, reader) = wit_stream::new();
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    drop(trailers);
    let (response, _sent) = Response::new(Fields::new(), Some(reader), trailers_reader);
    wasip3::spawn_local(async move { while body.write_all(vec![7; PIECE_BYTES]).await.is_empty() {} });
    response
}
