//! The clients against servers of a few lines: what is counted, and that an open loop does not wait for answers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{Pace, Plan};
use crate::connection::request;
use crate::tally::Tally;

/// A server that lets `serve` have every connection, on a thread of its own.
fn server(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Answer whatever arrives, `pause` after it, until the client is gone.
fn answer(mut stream: TcpStream, pause: Duration, answer: &[u8]) {
    let mut request = [0; 1024];
    while stream.read(&mut request).is_ok_and(|read| read > 0) {
        std::thread::sleep(pause);
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn plan(address: SocketAddr, pace: Pace) -> Plan {
    Plan {
        address,
        connections: 2,
        pace,
        beat: Duration::ZERO,
        requests: vec![request("GET", "/a", ""), request("GET", "/b", "")],
        warm_up: Duration::from_millis(20),
        measured: Duration::from_millis(200),
        drain: Duration::from_secs(5),
        is_strict: false,
    }
}

fn run(plan: &Plan) -> Tally {
    plan.run(|_| Ok(())).expect("clients that tolerate everything")
}

#[test]
fn an_open_loop_sends_at_its_rate_and_counts_all_of_it() {
    let address = server(|stream| answer(stream, Duration::ZERO, OK));
    let tally = run(&plan(address, Pace::Open(500.0)));
    assert_eq!(tally.served.total(), 100);
    assert_eq!((tally.sent, tally.errors()), (100, 0));
}

/// What is due between two beats goes out at the later one: nothing is left out, and the wait counts.
#[test]
fn a_beat_delays_and_loses_nothing() {
    let address = server(|stream| answer(stream, Duration::ZERO, OK));
    let mut plan = plan(address, Pace::Open(500.0));
    (plan.beat, plan.connections) = (Duration::from_millis(20), 40);
    let tally = run(&plan);
    assert_eq!((tally.served.total(), tally.sent, tally.errors()), (100, 100, 0));
    assert!(tally.served.percentile(0.5) > Duration::from_millis(10), "{:?}", tally.served.percentile(0.5));
}

/// Two connections that take 20 ms each carry 100 a second: of 500 a second, the later ones wait ever longer.
#[test]
fn waiting_for_a_connection_is_latency() {
    let address = server(|stream| answer(stream, Duration::from_millis(20), OK));
    let tally = run(&plan(address, Pace::Open(500.0)));
    assert_eq!((tally.served.total(), tally.errors()), (100, 0));
    assert!(tally.served.percentile(0.9) > Duration::from_millis(500), "{:?}", tally.served.percentile(0.9));
}

#[test]
fn what_is_not_sent_or_not_answered_until_the_end_is_an_error() {
    let address = server(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut plan = plan(address, Pace::Open(500.0));
    plan.drain = Duration::from_millis(50);
    plan.warm_up = Duration::ZERO;
    let tally = run(&plan);
    assert_eq!((tally.served.total(), tally.broken, tally.unsent), (0, 2, 98));
    assert_eq!(tally.first_failure.as_deref(), Some("no answer until the end"));
}

#[test]
fn who_loses_a_connection_takes_a_new_one() {
    let address = server(|mut stream| {
        // One answer, and then an end that nobody announced.
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(OK);
        let _ = stream.read(&mut [0; 1024]);
    });
    let mut plan = plan(address, Pace::Closed);
    plan.measured = Duration::from_secs(1);
    let tally = run(&plan);
    assert!(tally.served.total() > 10 && tally.broken > 10, "{} and {}", tally.served.total(), tally.broken);
}

#[test]
fn an_announced_end_of_a_connection_is_no_error() {
    let address = server(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        // Some hundred connections are enough: each takes a port for a while.
        std::thread::sleep(Duration::from_millis(5));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
    let mut plan = plan(address, Pace::Closed);
    plan.measured = Duration::from_secs(1);
    let tally = run(&plan);
    assert!(tally.served.total() > 10);
    assert_eq!(tally.errors(), 0, "{:?}", tally.first_failure);
}

#[test]
fn requests_take_turns() {
    let address = server(|mut stream| {
        let mut request = [0; 1024];
        while let Ok(read @ 1..) = stream.read(&mut request) {
            let is_first = request[..read].starts_with(b"GET /a ");
            let status: &[u8] = if is_first { b"200 OK" } else { b"503 Busy" };
            let _ = stream.write_all(&[b"HTTP/1.1 ", status, b"\r\nContent-Length: 0\r\n\r\n"].concat());
        }
    });
    let tally = run(&plan(address, Pace::Open(500.0)));
    assert_eq!((tally.served.total(), tally.shed.total()), (50, 50));
}
