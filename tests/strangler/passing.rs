//! What the monolith sees of a request, what the client sees of its answer, and what can be reached at all.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hull_tests::app::App;
use hull_tests::exchange::Exchange;
use hull_tests::host::Host;
use hull_tests::probe;
use hull_tests::shared::Running;
use serde_json::{Value, json};

use crate::manifest;
use crate::monolith::Monolith;

const BIG: u64 = 192 << 20;
const WARM_UP: u64 = 8 << 20;
const GROWTH_BYTES_MAX: u64 = 32 << 20;

fn started(monolith: &Monolith, upstream: &str) -> anyhow::Result<Running> {
    Running::start(App::of_text(&manifest(&monolith.url(), upstream, ""))?)
}

#[test]
fn a_request_reaches_the_monolith_with_what_a_proxy_adds() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith, "routes = [\"/old/...\"]")?;
    let request = running.client().request("PUT", "/old/a/./b//%C3%BC?q=%2e%2e&r").body("the body");
    let answer = request
        .header("x-correlation-id", "order-7")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("x-forwarded-for", "10.9.9.9")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-user", "admin")
        .header("forwarded", "for=10.9.9.9")
        .header("spin-client-addr", "forged")
        .header("te", "trailers")
        .header("x-own", "kept")
        .send()?
        .expect(200)?;
    let told = answer.json()?;
    assert_eq!((&told["from"], &told["body"]), (&json!("monolith"), &json!("the body")));
    let (seen, headers) = (&told["request"], &told["request"]["headers"]);
    assert_eq!((&seen["method"], &seen["target"]), (&json!("PUT"), &json!("/old/a/b/%C3%BC?q=%2e%2e&r")));
    assert_eq!(headers["host"], "hull.test", "the host that the client asked for");
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1", "what a client writes there is not believed");
    assert_eq!((&headers["x-forwarded-proto"], &headers["x-forwarded-host"]), (&json!("http"), &json!("hull.test")));
    assert!(headers["x-forwarded-user"].is_null(), "{headers}");
    assert_eq!(headers["forwarded"], "for=127.0.0.1;host=\"hull.test\";proto=http");
    assert!(headers["via"].as_str().is_some_and(|via| via.starts_with("1.1 hull-")), "{headers}");
    assert_eq!((&headers["x-own"], &headers["x-correlation-id"]), (&json!("kept"), &json!("order-7")));
    let trace = headers["traceparent"].as_str().unwrap_or_default();
    assert!(
        trace.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && !trace.contains("b7ad6b7169203331"),
        "{trace}"
    );
    for gone in ["spin-client-addr", "te", "connection", "spin-path-info"] {
        assert_eq!(headers[gone], Value::Null, "{gone}");
    }
    assert_eq!(answer.header("x-correlation-id"), Some("order-7"));
    assert_eq!(answer.header("x-request-id"), headers["x-request-id"].as_str());
    Ok(())
}

#[test]
fn an_answer_comes_back_as_the_monolith_gave_it() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith, "routes = [\"/old/...\"]")?;
    let client = running.client();
    let answer = client.get("/old/hop")?.expect(200)?;
    assert_eq!((answer.header("x-private"), answer.header("keep-alive")), (None, None));
    let cookies: Vec<_> = answer.head.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    for status in [201, 204, 304, 404, 418, 500, 503] {
        let answer = client.get(&format!("/old/status/{status}"))?.expect(status)?;
        assert_eq!(answer.body.is_empty(), matches!(status, 204 | 304), "{status}");
        assert_eq!(answer.header("retry-after"), None, "{status}: what the monolith answers is not Hull's to judge");
    }
    let head = client.request("HEAD", "/old/download/1000").send()?.expect(200)?;
    assert_eq!(head.header("content-length"), Some("1000"));
    let host = running.host();
    let answered = |class: &str| {
        host.metric(&format!("hull_http_requests_total{{app=\"fig\",component=\"monolith\",status=\"{class}\""))
    };
    assert_eq!((answered("5xx")?, answered("4xx")?), (Some(2.0), Some(2.0)));
    assert!(monolith.seen.connections.load(Ordering::SeqCst) <= 4, "connections are kept");
    Ok(())
}

#[test]
fn behind_a_proxy_that_is_trusted_its_headers_stay() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith, "routes = [\"/old/...\"]\nforwarded = \"append\"\nhost = \"url\"")?;
    let request = running.client().request("GET", "/old/x").header("x-forwarded-for", "192.0.2.1");
    request
        .header("x-forwarded-proto", "https")
        .header("forwarded", "for=192.0.2.1;proto=https")
        .send()?
        .expect(200)?;
    let headers = monolith.last()["headers"].clone();
    assert_eq!(
        (&headers["x-forwarded-for"], &headers["x-forwarded-proto"]),
        (&json!("192.0.2.1, 127.0.0.1"), &json!("https"))
    );
    let forwarded = "for=192.0.2.1;proto=https, for=127.0.0.1;host=\"hull.test\";proto=http";
    assert_eq!(headers["forwarded"], forwarded);
    assert_eq!(headers["host"], format!("127.0.0.1:{}", monolith.port()));
    assert_eq!(headers["x-forwarded-host"], "hull.test");
    Ok(())
}

#[test]
fn nothing_but_its_routes_leads_to_the_monolith() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith, "routes = [\"/old/...\"]")?;
    let client = running.client();
    let elsewhere = format!("{}/old", monolith.url());
    for (path, status) in [
        ("/", 404),
        ("/olds", 404),
        ("/old/../secret", 404),
        ("/old/%2e%2e/secret", 404),
        ("/old/..%2fsecret", 400),
        ("/old/a\\..\\..\\secret", 400),
        ("/old/%zz", 400),
        ("//old/../secret", 404),
    ] {
        assert_eq!(client.get(path)?.status(), status, "{path}");
    }
    for url in ["http://monolith.internal/old/x", "http://monolith.spin.internal/old/x", &elsewhere] {
        let told = probe::one(&client, "/orders/run", &json!({ "do": "call", "url": url }))?;
        assert!(told["error"].is_string(), "{url}: {told}");
    }
    assert_eq!(monolith.requests(), 0, "{}", monolith.last());
    // Another way to write a path that is one of its routes reaches it as what the route was found by.
    client.get("/x/../old//y/.")?.expect(200)?;
    assert_eq!(monolith.last()["target"], "/old/y/");
    // The authority of an absolute target says whom the client means, not where it is sent.
    let mut exchange = Exchange::open(client.address())?;
    exchange.send(b"GET http://elsewhere.example/old/z HTTP/1.1\r\nhost: other\r\nconnection: close\r\n\r\n")?;
    assert_eq!(exchange.head()?.status, 200);
    assert_eq!(monolith.last()["headers"]["host"], "elsewhere.example");
    Ok(())
}

fn upload(host: &Host, path: &str, bytes: u64) -> anyhow::Result<()> {
    let mut exchange = Exchange::open(host.client().address())?;
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
    exchange.send(head.as_bytes())?;
    let piece = vec![b'x'; 1 << 20];
    let mut sender = exchange.sender()?;
    for _ in 0..bytes >> 20 {
        sender.write_all(&piece)?;
    }
    let head = exchange.head()?;
    let told: Value = serde_json::from_slice(&exchange.body(&head)?)?;
    anyhow::ensure!(told["bytes"] == bytes, "{told} of {bytes}");
    Ok(())
}

fn download(host: &Host, path: &str, bytes: u64) -> anyhow::Result<()> {
    let mut exchange = host.client().request("GET", &format!("{path}/{bytes}")).start()?;
    let head = exchange.head()?;
    let mut received = 0;
    exchange.each_piece(&head, |piece| received += piece.iter().filter(|byte| **byte == b'm').count() as u64)?;
    anyhow::ensure!((head.status, received) == (200, bytes), "{received} of {bytes}");
    Ok(())
}

#[test]
fn large_bodies_stream_both_ways_and_leave_memory_alone() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith, "routes = [\"/old/...\"]\nbody-max = \"1GiB\"\ntime = \"2m\"")?;
    let host = running.host();
    for _ in 0..2 {
        upload(host, "/old/upload", WARM_UP)?;
        download(host, "/old/download", WARM_UP)?;
    }
    for (grown, what) in [
        (host.growth(|| upload(host, "/old/upload", BIG))?, "upload"),
        (host.growth(|| download(host, "/old/download", BIG))?, "download"),
        // Without a length, in chunks.
        (host.growth(|| download(host, "/old/download", BIG + 1))?, "chunks"),
    ] {
        assert!(grown <= GROWTH_BYTES_MAX, "{what}: the host grew by {} MiB", grown >> 20);
    }
    Ok(())
}

#[test]
fn each_piece_comes_back_before_the_next_is_sent() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith, "routes = [\"/old/...\"]")?;
    let mut stream = TcpStream::connect(running.client().address())?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(b"POST /old/copy HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")?;
    let mut received = String::new();
    for (sent, wanted) in [
        ("5\r\nround\r\n", "round"),
        ("4\r\ntrip\r\n", "trip"),
        ("5\r\nagain\r\n", "again"),
        ("0\r\n\r\n", "0\r\n\r\n"),
    ] {
        stream.write_all(sent.as_bytes())?;
        let mut buffer = [0; 1024];
        while !received.contains(wanted) {
            let length = stream.read(&mut buffer)?;
            anyhow::ensure!(length > 0, "the answer ended with {received:?}");
            received.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()));
        }
    }
    Ok(())
}

#[test]
fn an_app_may_have_nothing_but_a_monolith() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let text = format!(
        "{}[application.tool.hull.upstreams.monolith]\nurl = \"{}\"\nroutes = [\"/...\"]\n",
        probe::application("day-one"),
        monolith.url()
    );
    let app = App::of_text(&text)?;
    let checked = app.check()?.good()?;
    assert!(
        checked.stdout.contains("[application.tool.hull.upstreams.monolith]")
            && checked.stdout.contains("concurrency = 64 # default"),
        "{}",
        checked.said()
    );
    let running = Running::start(app)?;
    running.client().get("/anything?at=all")?.expect(200)?;
    assert_eq!(monolith.last()["target"], "/anything?at=all");
    assert_eq!(
        running.host().ready()["routes"],
        json!([{ "route": "/...", "component": null, "upstream": "monolith" }])
    );
    let status = running.app().command(&["status"])?.good()?.stdout;
    assert!(status.contains("day-one/monolith") && status.contains(&monolith.url()), "{status}");
    let shown = running.app().command(&["status", "--json"])?.json()?["upstreams"][0].clone();
    assert_eq!(shown["invocations"], json!({ "ok": 1, "failed": 0, "running": 0 }), "{shown}");
    assert_eq!(shown["bulkhead"]["concurrency_max"], 64, "{shown}");
    Ok(())
}
