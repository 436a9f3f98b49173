//! Commands that need a running host: what they say without one, and what they send to one. The host here is a
//! listener that gives one prepared answer, so that each request can be looked at.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::run::{Ended, Folder};

/// Answers one request after the other, and gives back what it was asked.
struct Listener {
    address: String,
    served: JoinHandle<Vec<String>>,
}

impl Listener {
    fn answering(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let serve = move |answer: String| {
            let (mut stream, _) = listener.accept().expect("a connection");
            let request = read_request(&mut stream);
            stream.write_all(answer.as_bytes()).expect("answered");
            request
        };
        Self { address, served: thread::spawn(move || answers.into_iter().map(serve).collect()) }
    }

    /// The requests, once all were served.
    fn requests(self) -> Vec<String> {
        self.served.join().expect("all answers were fetched")
    }

    /// A folder whose state directory names this host.
    fn folder(&self) -> Folder {
        let folder = Folder::new().with(".hull/admin-address", format!("{}\n", self.address));
        folder.with(".hull/admin-token", "secret\n")
    }
}

/// Head and body, as the length says.
fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a number")) {
                return text;
            }
        }
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).expect("a request");
        assert!(read > 0, "the request broke off: {text}");
        request.extend_from_slice(&bytes[..read]);
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

fn ok(body: &str) -> String {
    answer("200 OK", "content-type: application/json\r\n", body)
}

const APPS: &str = r#"{"apps":[{"app":"shop","version":"1","components":["orders"],"routes":[]}]}"#;

/// Run a command against these answers; what it ended with, and the requests that it made.
fn run(line: &str, answers: Vec<String>) -> (Ended, Vec<String>) {
    let listener = Listener::answering(answers);
    let ended = listener.folder().with("payload", "Ada").hull(line);
    (ended, listener.requests())
}

fn first_line(request: &str) -> &str {
    request.lines().next().unwrap_or_default()
}

#[test]
fn without_a_host_every_command_says_how_to_start_one() {
    let folder = Folder::new();
    for line in [
        "status",
        "logs",
        "invoke orders GET /",
        "publish a.b",
        "dead-letters list",
        "dead-letters show orders/1",
        "dead-letters replay --all",
        "dead-letters purge orders/1",
    ] {
        folder.hull(line).failed_saying(&["no host is running for state directory .hull", "start one with `hull up`"]);
    }
    let elsewhere = Folder::new().with("hull.toml", "state-dir = \"data\"\n");
    elsewhere.hull("status").failed_saying(&["no host is running for state directory data"]);
}

#[test]
fn a_host_that_is_gone_is_told_apart() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let folder = Folder::new().with(".hull/admin-address", format!("127.0.0.1:{port}"));
    folder.hull("status").failed_saying(&[&format!("no host is running at 127.0.0.1:{port}"), "hull up"]);
    folder.hull("status --admin ./no.sock").failed_saying(&["no host is running at ./no.sock"]);
}

#[test]
fn refusals_are_readable_and_tokens_are_shown() {
    let problem = r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"there is no component `x`"}"#;
    let refused = answer("404 Not Found", "content-type: application/problem+json\r\n", problem);
    let (ended, requests) = run("invoke x GET /api?a=b", vec![ok(APPS), refused]);
    ended.failed_saying(&["the host refused: there is no component `x`"]);
    assert_eq!(first_line(&requests[0]), "GET /v1/apps HTTP/1.1");
    assert!(requests.iter().all(|request| request.contains("authorization: Bearer secret\r\n")), "{requests:?}");
    let wanted = "POST /v1/apps/shop/components/x/invoke?method=GET&path=%2Fapi%3Fa%3Db HTTP/1.1";
    assert_eq!(first_line(&requests[1]), wanted);
    let (ended, _) = run("status", vec![ok("{}"), answer("401 Unauthorized", "", "")]);
    ended.failed_saying(&["--token-file", "HULL_TOKEN"]);
}

#[test]
fn invoke_prints_what_the_component_answers() {
    let made = answer("201 Created", "x-hull-invoked: true\r\nlocation: /a/1\r\n", "made\n");
    let (ended, requests) = run("invoke orders POST /a --data @payload --app shop", vec![made.clone()]);
    assert_eq!(ended.succeeded(), "made\n");
    assert!(requests[0].contains("content-type: text/plain") && requests[0].ends_with("\r\n\r\nAda"), "{requests:?}");
    let (ended, _) = run("invoke orders POST /a --app shop -i", vec![made.clone()]);
    let printed = ended.succeeded();
    assert!(printed.starts_with("201 Created\n") && printed.contains("location: /a/1\n"), "{printed}");
    assert!(printed.ends_with("\n\nmade\n") && !printed.contains("x-hull-invoked"), "{printed}");
    let (ended, _) = run("invoke orders POST /a --app shop --json", vec![made]);
    assert_eq!((&ended.json()["status"], &ended.json()["body"]), (&201.into(), &"made\n".into()));
    let failed = answer("422 Unprocessable Content", "x-hull-invoked: true\r\n", "no such field\n");
    let (ended, _) = run("invoke orders POST /a --app shop", vec![failed]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, "no such field\n"));
    assert!(ended.stderr.contains("orders answered 422"), "{}", ended.stderr);
}

#[test]
fn publish_sends_the_payload_with_its_id() {
    let published = r#"{"id":"e1","source":"/shop/admin","sequence":7,"duplicate":false}"#;
    let answers = || vec![answer("202 Accepted", "", published)];
    let (ended, requests) = run("publish greetings.sent payload --id e1 --app shop", answers());
    assert_eq!(ended.succeeded(), "published greetings.sent e1, number 7 of the stream\n");
    assert_eq!(first_line(&requests[0]), "POST /v1/apps/shop/events/greetings.sent HTTP/1.1");
    assert!(requests[0].contains("ce-id: e1\r\n") && requests[0].ends_with("\r\n\r\nAda"), "{requests:?}");
    // Standard input is empty here.
    let (ended, requests) = run("publish greetings.sent --app shop --json", answers());
    assert_eq!(ended.json()["sequence"], 7);
    assert!(requests[0].ends_with("\r\n\r\n"), "{requests:?}");
}

#[test]
fn logs_are_printed_line_by_line() {
    let lines = "{\"time\":\"T\",\"level\":\"info\",\"component\":\"orders\",\"message\":\"hello\"}\n\n";
    let (ended, requests) = run("logs orders -n 5 -f --app shop", vec![answer("200 OK", "", lines)]);
    assert_eq!(ended.succeeded(), "T info  orders hello\n");
    let wanted = "GET /v1/apps/shop/logs?lines=5&component=orders&follow=true HTTP/1.1";
    assert_eq!(first_line(&requests[0]), wanted);
    let (ended, _) = run("logs --json --app shop", vec![answer("200 OK", "", lines)]);
    assert_eq!(ended.json()["message"], "hello");
}

#[test]
fn status_is_shown_although_the_host_is_not_ready() {
    let failing = r#"{"status":"failing","parts":{"bus":{"status":"failing","detail":"the disk is full"}}}"#;
    let components = r#"{"components":[{"app":"shop","component":"orders","version":"abc","reuse":"never"}]}"#;
    let answers = || vec![answer("503 Service Unavailable", "", failing), ok(components)];
    let (ended, _) = run("status", answers());
    let table = ended.succeeded();
    assert!(table.contains("shop/orders") && table.ends_with("not ready\n  bus: the disk is full\n"), "{table}");
    let (ended, _) = run("status --json", answers());
    assert_eq!(ended.json()["components"][0]["version"], "abc");
    assert_eq!(ended.json()["ready"]["status"], "failing");
}

#[test]
fn dead_letters_are_listed_over_pages_and_replayed_one_by_one() {
    let page = |ids: &[u64], next: &str| {
        let letter = |id: &u64| format!(r#"{{"component":"orders","id":{id},"kind":"incoming","subject":"a.b"}}"#);
        let letters: Vec<String> = ids.iter().map(letter).collect();
        ok(&format!(r#"{{"dead_letters":[{}],"next":{next}}}"#, letters.join(",")))
    };
    let pages = vec![ok(APPS), page(&[1], "1"), page(&[4], "null")];
    let (ended, requests) = run("dead-letters list --subject a.b --app shop", pages);
    let table = ended.succeeded();
    assert!(table.contains("orders/1") && table.contains("orders/4"), "{table}");
    let listed = "GET /v1/apps/shop/dead-letters?component=orders";
    assert_eq!(first_line(&requests[1]), format!("{listed}&limit=100&subject=a.b HTTP/1.1"));
    assert_eq!(first_line(&requests[2]), format!("{listed}&limit=99&subject=a.b&after=1 HTTP/1.1"));

    let answers = vec![
        page(&[1, 4], "null"),
        ok(r#"{"outcome":"reject","detail":"still wrong"}"#),
        ok(r#"{"outcome":"handled","detail":""}"#),
    ];
    let (ended, requests) = run("dead-letters replay --all --component orders --app shop", answers);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, "orders/1 reject: still wrong\norders/4 handled\n"));
    assert_eq!(first_line(&requests[2]), "POST /v1/apps/shop/components/orders/dead-letters/4/replay HTTP/1.1");

    let gone = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned();
    let (ended, requests) = run("dead-letters purge orders/4 --app shop", vec![gone]);
    assert_eq!(ended.succeeded(), "orders/4 purged\n");
    assert_eq!(first_line(&requests[0]), "DELETE /v1/apps/shop/components/orders/dead-letters/4 HTTP/1.1");
}

#[test]
fn the_status_of_an_app_that_is_not_there_is_an_error() {
    let answers = || vec![ok(r#"{"status":"ok","parts":{}}"#), ok(r#"{"components":[]}"#), ok(APPS)];
    let (ended, _) = run("status --app nope", answers());
    ended.failed_saying(&["the host runs no app nope; what it runs: shop"]);
    let (ended, _) = run("status --app shop", answers());
    ended.succeeded();
}
