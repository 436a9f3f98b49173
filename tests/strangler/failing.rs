//! A monolith that is not there, is slow, breaks off or says too much: a clear answer, in time, and nobody else's trouble.

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hull_tests::app::App;
use hull_tests::shared::Running;
use hull_tests::wait;
use serde_json::json;

use crate::manifest;
use crate::monolith::Monolith;

fn started(url: &str, upstream: &str) -> anyhow::Result<Running> {
    Running::start(App::of_text(&manifest(url, &format!("routes = [\"/old/...\"]\n{upstream}"), ""))?)
}

/// A port that nobody listens on: it was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn outcome(running: &Running, word: &str) -> anyhow::Result<u64> {
    let series =
        format!("hull_invocations_total{{app=\"fig\",cause=\"http\",component=\"monolith\",outcome=\"{word}\"}}");
    Ok(running.host().metric(&series)?.unwrap_or(0.0) as u64)
}

#[test]
fn nobody_there_is_502_and_the_log_says_why() -> anyhow::Result<()> {
    let running = started(&format!("http://127.0.0.1:{}", free_port()?), "")?;
    let problem = json!({
        "type": "urn:hull:problem:unreachable", "status": 502, "component": "monolith", "requestId": "*",
        "detail": "fig/monolith cannot be reached right now", "instance": "/old/x",
    });
    running.client().get("/old/x")?.expect_json(502, &problem)?;
    assert_eq!(outcome(&running, "unreachable")?, 1);
    let logged = running.app().command(&["logs", "monolith"])?.good()?.stdout;
    assert!(logged.contains("refused"), "{logged}");
    running.client().get("/orders/hello")?.expect(200)?;
    // A name that nobody knows.
    let running = started("http://monolith.invalid", "")?;
    running.client().get("/old/x")?.expect_json(502, &json!({ "type": "urn:hull:problem:unreachable" }))?;
    Ok(())
}

#[test]
fn a_monolith_that_comes_back_is_used_again() -> anyhow::Result<()> {
    let port = free_port()?;
    let running = started(&format!("http://127.0.0.1:{port}"), "")?;
    running.client().get("/old/x")?.expect(502)?;
    let monolith = Monolith::start_on(port)?;
    running.client().get("/old/x")?.expect(200)?;
    drop(monolith);
    running.client().get("/old/x")?.expect(502)?;
    let _monolith = Monolith::start_on(port)?;
    running.client().get("/old/x")?.expect(200)?;
    Ok(())
}

#[test]
fn a_slow_monolith_is_504_in_time_and_given_up() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith.url(), "time = \"2s\"")?;
    let begun = hull_clock::now();
    let problem = json!({ "type": "urn:hull:problem:deadline-exceeded", "status": 504, "component": "monolith" });
    running.client().get("/old/hold/60")?.expect_json(504, &problem)?;
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(10), "{took:?}");
    wait::until(
        "the monolith to be left alone",
        || Ok((monolith.seen.gone.load(Ordering::SeqCst) == 1).then_some(())),
    )?;
    // An answer that never ends is cut at the same time.
    let mut exchange = running.client().request("GET", "/old/drip").start()?;
    let head = exchange.head()?;
    assert_eq!(head.status, 200);
    assert!(exchange.body(&head).is_err(), "what is missing is not taken for an end");
    running.host().until_idle("monolith")?;
    Ok(())
}

#[test]
fn what_breaks_off_is_told_as_such() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith.url(), "")?;
    let mut exchange = running.client().request("GET", "/old/half").start()?;
    let head = exchange.head()?;
    assert!(head.status == 200 && exchange.body(&head).is_err(), "half an answer is no answer");
    let running = started(&monolith.url(), "body-max = \"64KiB\"")?;
    let client = running.client();
    // It says itself that it is too large, or turns out to be.
    client.get("/old/download/100000")?.expect_json(502, &json!({ "type": "urn:hull:problem:no-response" }))?;
    let mut exchange = client.request("GET", "/old/download/100001").start()?;
    let head = exchange.head()?;
    assert!(exchange.body(&head).is_err());
    client.request("POST", "/old/upload").body(vec![b'x'; 64 * 1024]).send()?.expect(200)?;
    let requests = monolith.requests();
    client.request("POST", "/old/upload").body(vec![b'x'; 64 * 1024 + 1]).send()?.expect(413)?;
    assert_eq!(monolith.requests(), requests, "a body that says that it is too large goes nowhere");
    // One that says nothing is stopped on its way.
    let mut exchange = client.request("POST", "/old/upload").header("transfer-encoding", "chunked").start()?;
    exchange.send(b"20000\r\n")?;
    exchange.send(&vec![b'x'; 0x20000])?;
    assert_eq!(exchange.head()?.status, 413);
    let rejected = running.host().metric("hull_resource_rejected_total{app=\"fig\",component=\"monolith\"")?;
    assert!(rejected.is_some_and(|rejected| rejected >= 4.0), "{rejected:?}");
    Ok(())
}

#[test]
fn a_server_that_is_no_http_server_is_502() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    // It ends with the process: nobody can wake it from waiting for the next visitor.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let running = started(&format!("http://127.0.0.1:{port}"), "")?;
    running.client().get("/old/x")?.expect_json(502, &json!({ "type": "urn:hull:problem:no-response" }))?;
    Ok(())
}

#[test]
fn a_full_upstream_is_503_and_its_neighbours_keep_serving() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith.url(), "concurrency = 3\nqueue = { length = 1, wait = \"20s\" }\ntime = \"30s\"")?;
    let client = running.client();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(client.request("GET", "/old/hold/25").start()?);
    }
    wait::until("the upstream to be full", || {
        let told = running.host().asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
        let bulkhead = &told["upstreams"][0]["bulkhead"];
        Ok((bulkhead["inside"] == 3 && bulkhead["waiting"] == 1).then_some(()))
    })?;
    for _ in 0..50 {
        let begun = hull_clock::now();
        let shed = client.get("/old/x")?;
        assert!(shed.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok_and(|after| after > 0)));
        shed.expect_json(503, &json!({ "type": "urn:hull:problem:shed", "component": "monolith" }))?;
        client.get("/orders/hello")?.expect(200)?;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    assert_eq!(monolith.seen.most_inside.load(Ordering::SeqCst), 3, "never more than it may have");
    // Those who held it go away: it is free again, and the monolith is told by nobody but the connection.
    drop(held);
    wait::until(
        "the monolith to be left alone",
        || Ok((monolith.seen.gone.load(Ordering::SeqCst) >= 3).then_some(())),
    )?;
    running.host().until_idle("monolith")?;
    client.get("/old/x")?.expect(200)?;
    assert!(outcome(&running, "cancelled")? >= 3);
    Ok(())
}

#[test]
fn a_client_that_leaves_during_the_answer_ends_it() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let running = started(&monolith.url(), "body-max = \"4GiB\"")?;
    let mut exchange = running.client().request("GET", "/old/download/4000000000").start()?;
    assert_eq!(exchange.head()?.status, 200);
    assert_eq!(monolith.seen.inside.load(Ordering::SeqCst), 1);
    drop(exchange);
    wait::until(
        "the monolith to be left alone",
        || Ok((monolith.seen.gone.load(Ordering::SeqCst) == 1).then_some(())),
    )?;
    running.host().until_idle("monolith")
}

#[test]
fn an_upstream_that_leads_back_here_is_told_as_a_loop() -> anyhow::Result<()> {
    let port = free_port()?;
    let text = manifest(&format!("http://127.0.0.1:{port}"), "routes = [\"/old/...\"]", "");
    let running = Running::start(App::of_text(&text)?.flags(["--listen".to_owned(), format!("127.0.0.1:{port}")]))?;
    running.client().get("/old/x")?.expect_json(508, &json!({ "type": "urn:hull:problem:loop" }))?;
    Ok(())
}
