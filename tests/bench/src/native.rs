//! The measure of all things here: the least that a hyper server can do, answering what the hello components answer,
//! or the JSON that it is given.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let json = std::env::args().nth(1).map(Bytes::from);
    let kind = HeaderValue::from_static(if json.is_some() { "application/json" } else { "text/plain" });
    let body = json.unwrap_or(Bytes::from_static(b"Hello, Hull!\n"));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!(r#"{{"event":"ready","listen":"{}"}}"#, listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (kind, body) = (kind.clone(), body.clone());
        tokio::spawn(async move {
            let answer = service_fn(|_| async {
                let mut answer = hyper::Response::new(Full::new(body.clone()));
                answer.headers_mut().insert(CONTENT_TYPE, kind.clone());
                Ok::<_, Infallible>(answer)
            });
            // A client that goes away is the end of its connection, and of nothing else.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
