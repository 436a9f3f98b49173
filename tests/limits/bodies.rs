//! What comes in and what is written down: the bodies of requests, and the log.

use hull_tests::exchange::Exchange;
use hull_tests::probe;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::told::{Counted, bound};
use crate::{APP, limited, limits};

const BODY_BYTES: usize = 64 << 10;
const LOG_BYTES_PER_SECOND: u32 = 4 << 10;

pub(crate) fn manifest() -> String {
    [
        limited("body", "", "", "body-in-max = \"64KiB\""),
        limited("body-chunked", "", "", "body-in-max = \"64KiB\""),
        limited("sender", "allowed_outbound_hosts = [\"http://*.internal\"]", "", "body-in-max = \"1MiB\""),
        limited("callee", "", "", "body-in-max = \"64KiB\""),
        limited("chatty", "", "", "logs = \"4KiB/s\""),
    ]
    .concat()
}

/// A body whose length is not said before, in chunks of 1 KiB.
fn chunked(exchange: &mut Exchange, bytes: usize) -> anyhow::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let size = left.min(1 << 10);
        exchange.send(&[format!("{size:x}\r\n").as_bytes(), &vec![b'x'; size], b"\r\n"].concat())?;
        left -= size;
    }
    exchange.send(b"0\r\n\r\n")
}

#[test]
fn the_body_of_a_request() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "body")?;
    let upload = |bytes: usize| client.request("POST", "/body/upload").body(vec![b'x'; bytes]).send();
    upload(BODY_BYTES)?.expect_json(200, &json!({"bytes": BODY_BYTES}))?;
    counted.rose(&[])?;
    let told = json!({"type": "urn:hull:problem:body-too-large", "detail": "~ limits.body-in-max"});
    upload(BODY_BYTES + 1)?.expect_json(413, &told)?;
    upload(16 * BODY_BYTES)?.expect_json(413, &told)?;
    counted.rose(&[("body-in", 2)])?;
    bound(&running, "body", "body-in", BODY_BYTES as f64)?;
    Ok(())
}

#[test]
fn a_body_whose_length_is_not_said() -> anyhow::Result<()> {
    let running = limits()?;
    let mut counted = Counted::of(&running, "body-chunked")?;
    let request = running.client().request("POST", "/body-chunked/upload").header("transfer-encoding", "chunked");
    let mut exchange = request.start()?;
    chunked(&mut exchange, BODY_BYTES)?;
    let head = exchange.head()?;
    let told: Value = serde_json::from_slice(&exchange.body(&head)?)?;
    assert_eq!((head.status, &told["bytes"]), (200, &json!(BODY_BYTES)), "{told}");
    counted.rose(&[])?;

    let mut exchange = request.start()?;
    // The host need not read what it does not want.
    let sent = chunked(&mut exchange, BODY_BYTES + 1);
    let head = exchange.head().map_err(|error| error.context(format!("{sent:?}")))?;
    let told = String::from_utf8(exchange.body(&head)?)?;
    // The guest was at work already: it may have an answer of its own to a body that broke off.
    assert!(head.status == 413 || told.contains("65536 bytes"), "{head:?} {told}");
    counted.rose(&[("body-in", 1)])
}

#[test]
fn the_body_of_a_call() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let (mut asking, mut asked) = (Counted::of(&running, "sender")?, Counted::of(&running, "callee")?);
    let upload = |bytes: usize| {
        let step = json!({"do": "call", "url": "http://callee.internal/upload", "body": "x".repeat(bytes)});
        probe::one(&client, "/sender/run", &step)
    };
    assert_eq!(upload(BODY_BYTES)?, json!({"status": 200, "body": {"bytes": BODY_BYTES, "broken": null}}));
    asked.rose(&[])?;
    let told = upload(BODY_BYTES + 1)?;
    let whole = told["body"]["broken"].is_null() && told["error"].is_null();
    assert!(!whole, "the callee has had all of it: {told}");
    asked.rose(&[("body-in", 1)])?;
    asking.rose(&[])
}

#[test]
fn the_log_is_cut_and_the_cut_is_counted() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let mut counted = Counted::of(&running, "chatty")?;
    let dropped = || running.host().metric("hull_log_bytes_dropped_total{app=\"limits\",component=\"chatty\"}");
    let line = |name: &str, number: usize| format!("{name}-{number:02} {}", "x".repeat(500));
    let say = |name: &str, count: usize| -> anyhow::Result<()> {
        let steps: Vec<_> = (0..count).map(|n| json!({"do": "log", "message": line(name, n)})).collect();
        probe::must(&client, "/chatty/run", &json!(steps)).map(drop)
    };
    let written = || {
        let told = running.host().asked("GET", &format!("/v1/apps/{APP}/logs?component=chatty&lines=200"))?;
        anyhow::Ok(told.send()?.expect(200)?.text())
    };
    let whole = |text: &str, name: &str, count: usize| (0..count).filter(|n| text.contains(&line(name, *n))).count();
    say("calm", 4)?;
    wait::until("what it said to be logged", || Ok((whole(&written()?, "calm", 4) == 4).then_some(())))?;
    counted.rose(&[])?;
    assert!(dropped()?.is_none_or(|bytes| bytes < 1.0), "{:?}", dropped()?);

    say("storm", 60)?;
    let kept = wait::until("the storm to be over", || {
        let kept = whole(&written()?, "storm", 60);
        Ok((counted.since()?.get("logs") == Some(&(60 - kept as u64))).then_some(kept))
    })?;
    assert!((1..30).contains(&kept), "{kept} lines of half a kibibyte were kept, at four kibibytes a second");
    counted.rose(&[("logs", 60 - kept as u64)])?;
    assert!(dropped()?.is_some_and(|bytes| bytes > 40.0 * 500.0), "{:?}", dropped()?);
    bound(&running, "chatty", "logs", f64::from(LOG_BYTES_PER_SECOND))?;
    Ok(())
}
