//! Publishes numbered events, as many at once as there are workers, or at a pace: over NATS, or through the admin API of
//! a host whose bus is its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::jetstream;
use bytes::Bytes;
use futures::future::try_join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How many publish at once.
const WORKERS: usize = 64;

const STREAM: &str = "hull-bench";
const STREAM_TIME: Duration = Duration::from_secs(10);

/// Where events go.
pub(crate) enum Target {
    /// The server's URL.
    Nats(String),
    /// The admin address, and the token.
    Admin(SocketAddr, String),
}

/// Open connections to a target.
pub(crate) struct Publisher {
    workers: Vec<Worker>,
}

enum Worker {
    Nats(jetstream::Context),
    Admin { requests: SendRequest<Full<Bytes>>, token: String },
}

impl Publisher {
    /// Connect.
    pub(crate) async fn connect(target: &Target) -> anyhow::Result<Self> {
        let workers = match target {
            Target::Nats(url) => {
                let context = jetstream::new(async_nats::connect(url).await?);
                until_there(&context).await?;
                (0..WORKERS).map(|_| Worker::Nats(context.clone())).collect()
            }
            Target::Admin(address, token) => {
                let connected = (0..WORKERS).map(|_| async {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    let (requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                    // Its end shows in the next request.
                    tokio::spawn(connection);
                    anyhow::Ok(Worker::Admin { requests, token: token.clone() })
                });
                try_join_all(connected).await?
            }
        };
        Ok(Self { workers })
    }

    /// Publish so many events, numbered from `first` on; when each was sent. With a pace they are sent at its beat,
    /// else each worker sends its next one when the bus holds the one before.
    pub(crate) async fn publish(
        &mut self,
        first: u64,
        count: u64,
        pace: Option<Duration>,
    ) -> anyhow::Result<Vec<(u64, Instant)>> {
        let (begin, step) = (hull_clock::now(), self.workers.len() as u64);
        let publishing = self.workers.iter_mut().zip(0..).map(|(worker, place)| async move {
            let mut sent = Vec::new();
            for offset in (place..count).step_by(step as usize) {
                if let Some(pace) = pace {
                    let due = begin + pace * u32::try_from(offset).unwrap_or(u32::MAX);
                    tokio::time::sleep_until(due.into()).await;
                }
                sent.push((first + offset, hull_clock::now()));
                worker.publish(first + offset).await?;
            }
            anyhow::Ok(sent)
        });
        Ok(try_join_all(publishing).await?.concat())
    }
}

/// Whoever handles makes the stream, which may be a little after it is ready.
async fn until_there(context: &jetstream::Context) -> anyhow::Result<()> {
    let until = hull_clock::now() + STREAM_TIME;
    while let Err(error) = context.get_stream(STREAM).await {
        anyhow::ensure!(hull_clock::now() < until, "the stream {STREAM} is not made: {error}");
        tokio::time::sleep_until((hull_clock::now() + Duration::from_millis(10)).into()).await;
    }
    Ok(())
}

impl Worker {
    /// Returns when the bus holds the event.
    async fn publish(&mut self, number: u64) -> anyhow::Result<()> {
        match self {
            Self::Nats(context) => {
                context.publish("hull.bench.work.item", number.to_string().into()).await?.await?;
            }
            Self::Admin { requests, token } => {
                let request = Request::post("/v1/apps/bench/events/work.item")
                    .header(header::HOST, "bench")
                    .header(header::AUTHORIZATION, format!("Bearer {token}"))
                    .body(Full::new(Bytes::from(number.to_string())))?;
                requests.ready().await?;
                let answer = requests.send_request(request).await?;
                let status = answer.status();
                let body = answer.into_body().collect().await.context("half an answer")?.to_bytes();
                anyhow::ensure!(status == 202, "{status}: {}", String::from_utf8_lossy(&body));
            }
        }
        Ok(())
    }
}
