//! Accepts connections, whatever happens: it stops for nothing but the word to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::connection::serve;
use crate::gateway::Serving;

/// How long to leave the listener alone after it failed. File descriptors come back when connections end.
const BACKOFF_MIN: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// Connections above the cap that are told so at once; beyond these they are only closed.
const TURNED_AWAY_AT_ONCE_MAX: usize = 64;
const TURN_AWAY_TIME: Duration = Duration::from_millis(500);

const TURNED_AWAY: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    content-length: 158\r\n\
    retry-after: 1\r\n\
    connection: close\r\n\r\n\
    {\"type\":\"urn:hull:problem:connections\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"the host has as many connections as it may have; try again later\"}";

/// Counts connections while they are open.
struct Place<'a> {
    serving: &'a Serving,
    open: &'a AtomicUsize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        self.serving.metrics.connections.dec();
    }
}

/// Accept until `shutdown` completes; the listener is closed then.
pub(crate) async fn accept_until(listener: TcpListener, serving: &Arc<Serving>, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let open = Arc::new(AtomicUsize::new(0));
    let turned_away = Arc::new(AtomicUsize::new(0));
    let mut backoff = BACKOFF_MIN;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                backoff = BACKOFF_MIN;
                admit(serving, &open, &turned_away, stream, peer);
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                serving.metrics.accept_errors.inc();
                // Once per series of failures, not for each of them.
                if backoff == BACKOFF_MIN {
                    tracing::warn!(%error, "no connections can be accepted; raise the limit of open files if this stays");
                }
                tokio::select! {
                    () = &mut shutdown => return,
                    () = tokio::time::sleep(backoff) => {}
                }
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// Errors of a connection that was gone before it was accepted; the listener is well.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn admit(
    serving: &Arc<Serving>,
    open: &Arc<AtomicUsize>,
    turned_away: &Arc<AtomicUsize>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    if open.fetch_add(1, Ordering::AcqRel) >= serving.config.connections_max {
        open.fetch_sub(1, Ordering::AcqRel);
        serving.metrics.connections_refused.inc();
        turn_away(turned_away, stream);
        return;
    }
    serving.metrics.connections.inc();
    let (serving, open) = (Arc::clone(serving), Arc::clone(open));
    tokio::spawn(async move {
        let _place = Place { serving: &serving, open: &open };
        // Answers are written whole; waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        serve(Arc::clone(&serving), stream, peer).await;
    });
}

/// Say why, then close. Reading what the client sends keeps the answer from being lost with the connection.
fn turn_away(at_once: &Arc<AtomicUsize>, mut stream: TcpStream) {
    if at_once.fetch_add(1, Ordering::AcqRel) >= TURNED_AWAY_AT_ONCE_MAX {
        at_once.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let at_once = Arc::clone(at_once);
    tokio::spawn(async move {
        let telling = async {
            stream.write_all(TURNED_AWAY.as_bytes()).await?;
            stream.shutdown().await?;
            let mut space = [0; 4096];
            while stream.read(&mut space).await? > 0 {}
            io::Result::Ok(())
        };
        // Whether the client listens is its own affair.
        drop(tokio::time::timeout(TURN_AWAY_TIME, telling).await);
        at_once.fetch_sub(1, Ordering::AcqRel);
    });
}

#[cfg(test)]
mod tests {
    use super::TURNED_AWAY;

    #[test]
    fn the_ready_made_answer_is_as_long_as_it_says() {
        let (head, body) = TURNED_AWAY.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
