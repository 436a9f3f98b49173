//! Requests to the outside: how many at once, how long, how large.

use std::time::Duration;

use hull_tests::probe;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::downstream::{Downstream, downstream};
use crate::told::{Counted, bound, shown};
use crate::{limited, limits};

const TIMEOUT: &[&str] = &["HttpResponseTimeout", "HTTP response timeout"];
const RESPONSE_SIZE: &[&str] = &["HttpResponseBodySize", "response body size exceeds limit: 1024"];
const REQUEST_SIZE: &[&str] = &["HttpRequestBodySize", "request body size exceeds limit: 1024", "StreamError::Closed"];

pub(crate) fn manifest(downstream: &Downstream) -> String {
    let grant = downstream.grant();
    let with =
        |name: &str, lines: &str| limited(name, &grant, "", &format!("time = \"30s\"\noutbound = {{ {lines} }}"));
    [
        with("out-many", "concurrency = 2, time = \"20s\""),
        with("out-time", "time = \"2200ms\""),
        with("out-body", "body-max = \"1KiB\", time = \"20s\""),
        with("out-body-inside", "body-max = \"1KiB\", time = \"20s\""),
    ]
    .concat()
}

fn call(component: &str, url: &str, body: Option<&str>) -> anyhow::Result<Value> {
    let step = json!({"do": "call", "url": url, "body": body});
    probe::one(&limits()?.client(), &format!("/{component}/run"), &step)
}

/// The guest has it as an error code, as the words for one when the body was under way, or as a stream that takes no more.
fn failed(told: &Value, words: &[&str]) {
    let detail = told["detail"].as_str().unwrap_or_default();
    assert!(told["error"] == "no-answer" && words.iter().any(|word| detail.contains(word)), "{words:?}: {told}");
}

#[test]
fn how_many_at_once() -> anyhow::Result<()> {
    let (running, downstream) = (limits()?, downstream()?);
    let client = running.client();
    let mut counted = Counted::of(&running, "out-many")?;
    let script = json!([{"do": "call", "url": downstream.url("hold/many")}]);
    let begin = || client.request("POST", "/out-many/run").json(&script).start();
    let asking = (0..6).map(|_| begin()).collect::<anyhow::Result<Vec<_>>>()?;
    wait::until("all to be inside", || Ok((running.host().inside("out-many")? == 6).then_some(())))?;
    downstream.until_held("many", 2)?;
    assert_eq!(bound(&running, "out-many", "outbound-concurrency", 2.0)?, Some(2.0));
    downstream.release("many");
    for mut exchange in asking {
        let head = exchange.head()?;
        let told: Value = serde_json::from_slice(&exchange.body(&head)?)?;
        assert_eq!(told["results"][0]["body"], "held", "whoever waits for a place gets one: {told}");
    }
    assert_eq!(downstream.most("many"), 2);
    assert_eq!(shown(&running, "out-many", "outbound-concurrency")?.used, Some(0.0), "all places are back");
    counted.rose(&[])
}

#[test]
fn how_long() -> anyhow::Result<()> {
    let (running, downstream) = (limits()?, downstream()?);
    let mut counted = Counted::of(&running, "out-time")?;
    assert_eq!(call("out-time", &downstream.url("bytes/4"), None)?["status"], 200);
    counted.rose(&[])?;
    // An answer that does not begin, and one that does not end.
    for path in ["hold/for-ever", "stall"] {
        let begun = hull_clock::now();
        failed(&call("out-time", &downstream.url(path), None)?, TIMEOUT);
        let took = begun.elapsed();
        assert!((Duration::from_millis(2195)..Duration::from_secs(16)).contains(&took), "{path}: {took:?} of 2.2 s");
        counted.rose(&[("outbound-time", 1)])?;
    }
    bound(&running, "out-time", "outbound-time", 2.2)?;
    Ok(())
}

#[test]
fn how_large() -> anyhow::Result<()> {
    let (running, downstream) = (limits()?, downstream()?);
    let mut counted = Counted::of(&running, "out-body")?;
    let answer = |bytes: usize| call("out-body", &downstream.url(&format!("bytes/{bytes}")), None);
    assert_eq!(answer(1024)?["body"].as_str().map(str::len), Some(1024));
    let take = |bytes: usize| call("out-body", &downstream.url(&format!("take/{bytes}")), Some(&"x".repeat(bytes)));
    assert_eq!(take(1024)?, json!({"status": 200, "body": 1024}));
    counted.rose(&[])?;
    failed(&answer(1025)?, RESPONSE_SIZE);
    counted.rose(&[("outbound-body", 1)])?;
    failed(&take(1025)?, REQUEST_SIZE);
    counted.rose(&[("outbound-body", 1)])?;
    bound(&running, "out-body", "outbound-body", 1024.0)?;
    Ok(())
}

#[test]
fn how_large_within_the_app() -> anyhow::Result<()> {
    let running = limits()?;
    let mut counted = Counted::of(&running, "out-body-inside")?;
    let answer = |bytes: usize| {
        let url = format!("http://out-body.internal/download?bytes={bytes}");
        call("out-body-inside", &url, None)
    };
    assert_eq!(answer(1024)?["status"], 200);
    counted.rose(&[])?;
    failed(&answer(1025)?, RESPONSE_SIZE);
    counted.rose(&[("outbound-body", 1)])
}
