//! Ending: what runs is finished, within bounds, and what does not end by itself is ended.

use std::net::TcpStream;
use std::time::Duration;

use hull_tests::app::App;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::manifest;

fn patient() -> anyhow::Result<App> {
    App::of_text(&manifest("[component.probe.tool.hull.limits]\ntime = \"60s\""))
}

/// A request that tells when it has begun, and then takes so long.
fn slow(host: &hull_tests::host::Host, ms: u64) -> anyhow::Result<hull_tests::exchange::Exchange> {
    let script = json!([{"do": "set", "key": "begun", "value": "x"}, {"do": "sleep", "ms": ms}, {"do": "count"}]);
    let exchange = host.client().request("POST", "/probe/run").json(&script).start()?;
    wait::until("the request to begin", || {
        let value = probe::one(&host.client(), "/probe/run", &json!({"do": "get", "key": "begun"}))?;
        Ok((value != Value::Null).then_some(()))
    })?;
    Ok(exchange)
}

#[test]
fn a_running_request_is_finished_and_no_new_one_is_taken() -> anyhow::Result<()> {
    let app = patient()?;
    let mut host = app.up()?;
    let mut exchange = slow(&host, 1_500)?;
    // A connection that is open and idle does not hold it up.
    let _idle = TcpStream::connect(host.client().address())?;
    host.terminate()?;
    wait::until("new connections to be refused", || {
        Ok(TcpStream::connect(host.client().address()).is_err().then_some(()))
    })?;
    let head = exchange.head()?;
    assert_eq!(head.status, 200);
    assert!(String::from_utf8(exchange.body(&head)?)?.contains("\"failed\":0"));
    let status = host.ended(Duration::from_secs(10))?;
    assert!(status.success(), "{status} {}", host.said());
    Ok(())
}

#[test]
fn the_drain_is_bounded() -> anyhow::Result<()> {
    let app = patient()?.flags(["--drain", "500ms"]);
    let mut host = app.up()?;
    let mut exchange = slow(&host, 50_000)?;
    let begun = hull_clock::now();
    host.terminate()?;
    let status = host.ended(Duration::from_secs(10))?;
    assert!(status.success(), "{status} {}", host.said());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(exchange.head().map_or(true, |head| head.status >= 500));
    Ok(())
}

#[test]
fn an_idle_host_ends_at_once() -> anyhow::Result<()> {
    let app = patient()?.flags(["--drain", "60s"]);
    let mut host = app.up()?;
    host.client().get("/probe/hello")?.expect(200)?;
    let begun = hull_clock::now();
    host.terminate()?;
    assert!(host.ended(Duration::from_secs(30))?.success());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn a_guest_that_computes_for_ever_does_not_hold_it_up() -> anyhow::Result<()> {
    let text = manifest("[component.probe.tool.hull.limits]\ntime = \"60s\"\ncpu-per-invocation = \"60s\"");
    let app = App::of_text(&text)?.flags(["--drain", "300ms"]);
    let mut host = app.up()?;
    let exchange = host.client().request("POST", "/probe/run").json(&json!([{"do": "loop"}])).start()?;
    host.client().get("/probe/hello")?.expect(200)?;
    host.terminate()?;
    assert!(host.ended(Duration::from_secs(10))?.success());
    drop(exchange);
    Ok(())
}
