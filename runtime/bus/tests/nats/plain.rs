//! Clients that know nothing of Hull, here the bare protocol over a socket: what `nats pub` and `nats request` send.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use hull_bus::{Bus, ConsumerSpec};
use hull_invocation::{EventKey, Reply};

use crate::server::Server;
use crate::{fetch, open, soon, spec};

/// A message that came: its headers as text, and its payload.
pub(crate) type Came = (String, String);

fn connect(port: u16) -> (TcpStream, BufReader<TcpStream>) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
    line(&mut reader);
    socket.write_all(b"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n").expect("writes");
    (socket, reader)
}

fn line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}

fn message(subject: &str, reply: &str, headers: &str, payload: &str) -> String {
    if headers.is_empty() {
        return format!("PUB {subject} {reply} {}\r\n{payload}\r\n", payload.len());
    }
    let headers = format!("NATS/1.0\r\n{headers}\r\n");
    let (head, all) = (headers.len(), headers.len() + payload.len());
    format!("HPUB {subject} {reply} {head} {all}\r\n{headers}{payload}\r\n")
}

/// Publish and wait until the server has read it.
fn publish(port: u16, subject: &str, headers: &str, payload: &str) {
    let (mut socket, mut reader) = connect(port);
    socket.write_all((message(subject, "", headers, payload) + "PING\r\n").as_bytes()).expect("writes");
    assert_eq!(line(&mut reader), "PONG");
}

/// Ask, and wait for the first message that comes back.
pub(crate) fn ask(port: u16, subject: &str, headers: &str, payload: &str) -> Came {
    let (mut socket, mut reader) = connect(port);
    let request = message(subject, "answers.here", headers, payload);
    socket.write_all(format!("SUB answers.here 1\r\n{request}").as_bytes()).expect("writes");
    let came = line(&mut reader);
    let mut words = came.split(' ');
    let has_headers = words.next().expect("a verb") == "HMSG";
    let numbers: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
    let head = if has_headers { numbers[numbers.len() - 2] } else { 0 };
    let mut bytes = vec![0; numbers[numbers.len() - 1]];
    reader.read_exact(&mut bytes).expect("a message");
    let text = String::from_utf8(bytes).expect("text");
    (text[..head].to_owned(), text[head..].to_owned())
}

#[tokio::test]
async fn a_plain_publish_is_an_event() {
    let server = Server::start();
    let bus = open(&server).await;
    let short = ConsumerSpec { ack_wait: Duration::from_millis(100), ..spec("orders", "payments.*") };
    let mut consumer = bus.consumer(short).await.expect("opens");
    publish(server.port(), "hull.shop.payments.done", "", "hello");
    let first = fetch(&mut consumer, 1).await.remove(0);
    let event = first.event.clone();
    assert_eq!((event.subject.as_str(), &event.payload[..]), ("payments.done", &b"hello"[..]));
    let id = format!("1.{}", first.published_ms);
    assert_eq!(event.key, EventKey { source: "hull:shop:stream".into(), id });
    assert_eq!(event.time, hull_clock::rfc3339(first.published_ms));
    let again = fetch(&mut consumer, 1).await.remove(0);
    assert_eq!((again.deliveries, &again.event), (2, &event), "its name stays the same");
    again.ack().await.expect("acknowledges");
    let headers = "ce-id: 7\r\nce-source: /elsewhere\r\nTraceparent: 00-ab-cd-01\r\nX-Own: y\r\n";
    publish(server.port(), "hull.shop.payments.done", headers, "");
    let named = fetch(&mut consumer, 1).await.remove(0).event;
    assert_eq!(named.key, EventKey { source: "/elsewhere".into(), id: "7".into() });
    assert_eq!((named.header("traceparent"), named.header("x-own")), (Some("00-ab-cd-01"), Some("y")));
}

#[tokio::test]
async fn what_speaks_another_cloudevents_is_delivered_all_the_same() {
    let server = Server::start();
    let bus = open(&server).await;
    let mut consumer = bus.consumer(spec("orders", "payments.*")).await.expect("opens");
    publish(server.port(), "hull.shop.payments.done", "ce-specversion: 9\r\nce-id: 7\r\n", "hello");
    let event = fetch(&mut consumer, 1).await.remove(0).event;
    assert_eq!((event.header("ce-specversion"), event.header("ce-id")), (Some("9"), Some("7")));
    assert_eq!(event.key.source, "hull:shop:stream");
}

#[tokio::test]
async fn a_plain_request_is_answered() {
    let server = Server::start();
    let bus = open(&server).await;
    let mut responder = bus.responder("shop", "prices", &"prices.*".parse().expect("a pattern")).await.expect("opens");
    let mut consumer = bus.consumer(spec("orders", ">")).await.expect("opens");
    let port = server.port();
    let asking = tokio::task::spawn_blocking(move || ask(port, "hull-request.shop.prices.get", "", "shoes"));
    let request = soon(responder.next()).await.expect("a request");
    assert_eq!((request.event.subject.as_str(), &request.event.payload[..]), ("prices.get", &b"shoes"[..]));
    let (id, source) = (request.event.key.id.clone(), request.event.key.source.clone());
    assert!(id.starts_with("request.") && source == "hull:shop:stream", "{id} {source}");
    let headers = vec![("x-own".to_owned(), "y".to_owned())];
    request.respond(Reply { headers, payload: Bytes::from_static(b"7 EUR") }).await.expect("responds");
    let (head, payload) = asking.await.expect("an answer");
    assert!(head.contains("x-own: y") && payload == "7 EUR", "{head} {payload}");
    let asking = tokio::task::spawn_blocking(move || ask(port, "hull-request.shop.prices.get", "", "hats"));
    soon(responder.next()).await.expect("a request").refuse("no hats").await.expect("refuses");
    let (head, _) = asking.await.expect("an answer");
    assert!(head.contains("Nats-Service-Error: no hats"), "{head}");
    let nothing = tokio::time::timeout(Duration::from_millis(100), consumer.fetch(1)).await;
    assert!(nothing.is_err(), "requests are not events");
}
