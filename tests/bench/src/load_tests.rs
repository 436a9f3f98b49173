//! The load generator against servers of a few lines, good and bad.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{Load, Outcome};

const MEASURED: Duration = Duration::from_secs(1);

/// A server that gives `answer` to every read; it lives until its clients are gone.
fn server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream, answer));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: &[u8]) {
    let mut request = [0; 1024];
    while stream.read(&mut request).is_ok_and(|read| read > 0) {
        // Two pieces, so that the client meets halves.
        let (first, second) = answer.split_at(answer.len() / 2);
        if stream.write_all(first).and_then(|()| stream.write_all(second)).is_err() {
            return;
        }
    }
}

fn load(address: SocketAddr) -> Load {
    let request = crate::connection::request("GET", "/", "");
    Load { address, request, connections: 4, warm_up: Duration::from_millis(20), measured: MEASURED }
}

/// Under load from a server that uses no CPU.
fn run(address: SocketAddr) -> anyhow::Result<Outcome> {
    load(address).run(|| Ok(Duration::ZERO))
}

#[test]
fn answers_are_counted() {
    let address = server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello");
    let outcome = run(address).expect("a good server");
    assert!(outcome.latencies.total() > 0);
    let counted = outcome.rate * MEASURED.as_secs_f64();
    assert!((counted - outcome.latencies.total() as f64).abs() < 1.0, "{counted}");
}

#[test]
fn cpu_is_told_for_one_answer() {
    let calls = Cell::new(0);
    let server_cpu = || Ok(Duration::from_secs(calls.replace(calls.get() + 1)));
    let address = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let outcome = load(address).run(server_cpu).expect("a good server");
    let all = outcome.server_cpu.as_secs_f64() * outcome.latencies.total() as f64;
    assert!((all - 1.0).abs() < 0.001, "{all} s, where one second was used while counting");
}

#[test]
fn a_failing_server_is_an_error_and_not_a_rate() {
    for (answer, why) in [
        (&b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"[..], "status 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nHello", "nobody asked for"),
        (b"nonsense\r\n\r\n", "malformed answer"),
    ] {
        let error = run(server(answer)).err().map(|error| format!("{error:#}"));
        assert!(error.as_deref().is_some_and(|error| error.contains(why)), "{error:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a free port");
    assert!(run(address).is_err());
}
