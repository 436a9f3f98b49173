//! Connections to the real binary: many, broken off, lying, and more than there are file descriptors for.

use std::net::TcpStream;
use std::process::Command;

use hull_tests::exchange::Exchange;
use hull_tests::host::Host;
use hull_tests::{files, probe, wait};
use serde_json::{Value, json};

use crate::app;

const GET: &[u8] = b"GET /probe/hello HTTP/1.1\r\nhost: x\r\n\r\n";
const FAILED: &str = "hull_accept_errors_total";
const GROWTH_BYTES_MAX: u64 = 32 << 20;

#[test]
fn requests_on_one_connection_are_answered_in_their_order() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let mut exchange = Exchange::open(host.client().address())?;
    let request = |path: &str| format!("GET /probe/{path} HTTP/1.1\r\nhost: x\r\n\r\n");
    // All of them before the first answer is read.
    let all: String = ["hello", "one", "two", "download?bytes=100000", "three"].map(request).concat();
    exchange.send(all.as_bytes())?;
    let mut answers = Vec::new();
    for _ in 0..5 {
        let head = exchange.head()?;
        answers.push((head.status, exchange.body(&head)?));
    }
    let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 404, 404, 200, 404]);
    assert_eq!(answers[3].1.len(), 100_000);
    assert!(String::from_utf8_lossy(&answers[4].1).contains("/probe/three"));
    Ok(())
}

#[test]
fn nothing_behind_a_malformed_request_is_taken_for_one() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    for bad in [
        "POST /probe/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /probe/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 38\r\n\r\n",
        "GET /probe/hello HTTP/1.1\nhost: x\n\n",
        "POST /probe/upload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut exchange = Exchange::open(host.client().address())?;
        exchange.send(&[bad.as_bytes(), GET].concat())?;
        let told = String::from_utf8(exchange.rest()?)?;
        assert!(!told.contains("Hello from the probe"), "{bad:?} was answered with more than a refusal: {told}");
        assert!(told.matches("HTTP/1.1 ").count() <= 1, "{bad:?}: {told}");
    }
    host.client().get("/probe/hello")?.expect(200)?;
    Ok(())
}

#[test]
fn a_body_that_ends_too_early_is_seen_as_broken() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let script = json!([{"do": "set", "key": "half", "value": "x"}]).to_string();
    for head in [
        format!("POST /probe/run HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{script}", script.len() + 1),
        format!(
            "POST /probe/run HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{script}",
            script.len()
        ),
    ] {
        let mut exchange = Exchange::open(host.client().address())?;
        exchange.send(head.as_bytes())?;
        exchange.finish()?;
        let told = String::from_utf8(exchange.rest()?)?;
        assert!(!told.contains("HTTP/1.1 200"), "{told}");
    }
    host.until_idle("probe")?;
    // The script was whole, and yet it was not the whole request.
    assert_eq!(probe::one(&host.client(), "/probe/run", &json!({"do": "get", "key": "half"}))?, Value::Null);
    Ok(())
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let mut exchange = Exchange::open(host.client().address())?;
    let head = "POST /probe/upload HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n";
    exchange.send(head.as_bytes())?;
    assert_eq!(exchange.head()?.status, 100);
    exchange.send(b"5\r\nhello\r\n0\r\n\r\n")?;
    let head = exchange.head()?;
    let told: Value = serde_json::from_slice(&exchange.body(&head)?)?;
    assert_eq!((head.status, &told["bytes"]), (200, &json!(5)));
    Ok(())
}

#[test]
fn many_requests_leave_memory_alone() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let mut exchange = Exchange::open(host.client().address())?;
    let mut ask = |times: usize| -> anyhow::Result<()> {
        for _ in 0..times {
            exchange.send(GET)?;
            let head = exchange.head()?;
            exchange.body(&head)?;
            anyhow::ensure!(head.status == 200, "{head:?}");
        }
        Ok(())
    };
    ask(2_000)?;
    let before = host.resident_bytes()?;
    ask(10_000)?;
    let grown = host.resident_bytes()?.saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "the host grew by {} KiB", grown >> 10);
    Ok(())
}

#[test]
fn without_file_descriptors_it_waits_and_goes_on() -> anyhow::Result<()> {
    let app = app()?;
    // Once with all that it wants, so that nothing has to be compiled.
    app.up()?.stop()?;
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 96 && exec \"$0\" \"$@\""]).arg(files::hull()?);
    command.args(["up", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "-f"]).arg(app.manifest());
    command.arg("--state-dir").arg(app.state_dir());
    let host = Host::start(command, &app.state_dir())?;
    host.client().get("/probe/hello")?.expect(200)?;

    // Open before the crowd comes: nothing could connect to ask while it is there.
    let mut admin = Exchange::open(host.admin().address())?;
    let refused = |failed: Option<f64>| failed.filter(|failed| *failed > 0.0);
    anyhow::ensure!(refused(host.metric_over(&mut admin, FAILED)?).is_none(), "too few descriptors to begin with");

    let crowd: Vec<TcpStream> = (0..200).map_while(|_| TcpStream::connect(host.client().address()).ok()).collect();
    assert!(crowd.len() > 96, "only {} connections", crowd.len());
    wait::until("a connection that cannot be accepted", || Ok(refused(host.metric_over(&mut admin, FAILED)?)))?;
    drop(crowd);
    wait::until("the crowd to be gone", || Ok(host.client().get("/probe/hello").is_ok().then_some(())))?;
    for _ in 0..20 {
        host.client().get("/probe/hello")?.expect(200)?;
    }
    host.stop().map(drop)
}
