//! The WASI 0.3 side of the tests: an asynchronous handler that waits, streams, calls others, and knows how many
//! requests its own instance is serving.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join_all;
use hull_sdk::{client, p3, wasip3};
use serde_json::{Value, json};
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static SERVED: Cell<u32> = const { Cell::new(0) };
}

struct Probe;

impl wasip3::exports::http::handler::Guest for Probe {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path.rsplit('/').next().unwrap_or_default() {
            "hello" => Ok(answer(b"Hello from the asynchronous probe.\n".to_vec())),
            "copy" => Ok(copy(request)),
            "download" => Ok(generate(value(query, "bytes").parse().unwrap_or(0))),
            "inside" => Ok(tell(&inside(value(query, "ms").parse().unwrap_or(0)).await)),
            "call" => Ok(tell(&call(value(query, "url"), value(query, "times").parse().unwrap_or(1)).await)),
            "config" => Ok(tell(&json!(hull_sdk::config::get(value(query, "key")).ok().flatten()))),
            "trap" => std::process::abort(),
            "loop" => spin(),
            "refuse" => Err(ErrorCode::InternalError(Some("by intent".to_owned()))),
            _ => Ok(tell(&json!({"asked": target}))),
        }
    }
}

wasip3::http::service::export!(Probe);

fn value<'q>(query: &'q str, name: &str) -> &'q str {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

fn tell(value: &Value) -> Response {
    answer(value.to_string().into_bytes())
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

/// Send back what comes, as it comes.
fn copy(request: Request) -> Response {
    let (_, received) = wit_future::new(|| Ok(()));
    let (mut from, _trailers) = Request::consume_body(request, received);
    let (mut body, reader) = wit_stream::new();
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), Some(reader), trailers_reader);
    wasip3::spawn_local(async move {
        loop {
            let (result, bytes) = from.read(Vec::with_capacity(64 * 1024)).await;
            let ended = !matches!(result, wasip3::wit_bindgen::StreamResult::Complete(_));
            if (ended && bytes.is_empty()) || !body.write_all(bytes).await.is_empty() {
                break;
            }
        }
        drop(trailers);
    });
    response
}

/// Send so many bytes.
fn generate(bytes: u64) -> Response {
    let (mut body, reader) = wit_stream::new();
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    drop(trailers);
    let (response, _sent) = Response::new(Fields::new(), Some(reader), trailers_reader);
    wasip3::spawn_local(async move {
        let mut left = bytes;
        while left > 0 {
            let piece = usize::try_from(left.min(64 * 1024)).unwrap_or(0);
            if !body.write_all(vec![7; piece]).await.is_empty() {
                break;
            }
            left -= piece as u64;
        }
    });
    response
}

/// Compute without end.
fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

/// Wait, and tell how many requests were inside this instance at the most, and how many it has served.
async fn inside(ms: u64) -> Value {
    SERVED.set(SERVED.get() + 1);
    INSIDE.set(INSIDE.get() + 1);
    let served = SERVED.get();
    wasip3::clocks::monotonic_clock::wait_for(Duration::from_millis(ms).as_nanos().try_into().unwrap_or(0)).await;
    let seen = INSIDE.get();
    INSIDE.set(INSIDE.get() - 1);
    json!({"inside": seen, "served": served})
}

/// Ask others, all at once.
async fn call(url: &str, times: usize) -> Value {
    let ask = |_| async {
        match client::get(url) {
            Ok(request) => match p3::send(request).await {
                Ok(answer) => json!({
                    "status": answer.status().as_u16(),
                    "body": String::from_utf8_lossy(answer.body()),
                }),
                Err(error) => json!({"error": error.to_string()}),
            },
            Err(error) => json!({"error": error.to_string()}),
        }
    };
    join_all((0..times).map(ask)).await.into()
}
