//! Calls between components, which stay in the process: granted by name, with the caller's deadline, and not for ever.

use std::time::Duration;

use hull_tests::probe;
use serde_json::{Value, json};

use crate::work;

fn call(component: &str, script: &Value) -> Value {
    json!({"do": "call", "url": format!("http://{component}.internal/run"), "script": script})
}

#[test]
fn a_call_brings_the_answer_and_the_request_along() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let echo = json!({"do": "call", "url": "http://other.internal/some/echo?x=1", "method": "PUT", "body": "hello",
        "headers": [["x-own", "mine"]]});
    let request = client.request("POST", "/plain/run").header("x-correlation-id", "basket-1");
    let answer = request.header("x-request-id", "request-1").json(&json!([echo])).send()?.expect(200)?.json()?;
    let seen = &answer["results"][0]["body"];
    assert_eq!(seen["method"], "PUT", "{answer}");
    assert_eq!((&seen["target"], &seen["body"]), (&json!("/some/echo?x=1"), &json!("hello")));
    assert_eq!(seen["headers"]["x-own"], "mine");
    assert_eq!(seen["headers"]["x-correlation-id"], "basket-1");
    assert_eq!(seen["headers"]["x-request-id"], "request-1");
    assert!(seen["headers"]["traceparent"].is_string());

    let spin = json!({"do": "call", "url": "http://other.spin.internal/hello"});
    let results = probe::run(&client, "/plain/run", &json!([spin]))?;
    assert_eq!(results[0]["status"], 200, "{results:?}");
    Ok(())
}

#[test]
fn what_is_not_granted_is_denied() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let run = |component: &str| probe::run(&client, "/confined/run", &json!([call(component, &json!([]))]));
    assert_eq!(run("other")?[0]["status"], 200);
    let denied = &run("plain")?[0];
    assert_eq!(denied["error"], "no-answer", "{denied}");
    assert!(denied["detail"].as_str().unwrap_or_default().contains("HttpRequestDenied"), "{denied}");
    let nobody = probe::run(&client, "/plain/run", &json!([call("nobody", &json!([]))]))?;
    assert_eq!(nobody[0]["error"], "no-answer", "{nobody:?}");
    Ok(())
}

#[test]
fn calls_nest_only_so_deep() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    // plain and other call each other in turn, as often as the script says.
    let nested = |depth: usize| {
        let inner = json!([{"do": "count"}]);
        (1..depth).fold(inner, |script, n| json!([call(if n % 2 == 0 { "plain" } else { "other" }, &script)]))
    };
    let allowed = client.post("/plain/run", &nested(8))?.expect(200)?.text();
    assert!(!allowed.contains("error"), "{allowed}");
    let refused = client.post("/plain/run", &nested(9))?.expect(200)?.text();
    assert!(refused.contains("LoopDetected"), "{refused}");
    Ok(())
}

#[test]
fn a_component_may_call_itself() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let results =
        probe::run(&client, "/plain/run", &json!([{"do": "count"}, call("plain", &json!([{"do": "count"}]))]))?;
    assert_eq!(results[0], 1);
    assert_eq!(results[1]["body"]["results"][0], 1, "another instance: {results:?}");
    Ok(())
}

#[test]
fn a_failing_callee_is_an_error_of_the_call() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let results =
        probe::run(&client, "/plain/run", &json!([call("other", &json!([{"do": "trap"}])), {"do": "count"}]))?;
    assert!(results[0]["error"] == "no-answer" || results[0]["status"] == 500, "{results:?}");
    assert_eq!(results[1], 1, "the caller goes on");
    Ok(())
}

#[test]
fn the_callers_deadline_holds_for_the_call() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let begun = hull_clock::now();
    let slow =
        call("other", &json!([{"do": "sleep", "ms": 60_000}, {"do": "set", "key": "deadline", "value": "passed"}]));
    client.post("/plain/run", &json!([slow]))?.expect(504)?;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    work.host().until_idle("other")?;
    assert_eq!(probe::one(&client, "/other/run", &json!({"do": "get", "key": "deadline"}))?, Value::Null);
    Ok(())
}

#[test]
fn asynchronous_guests_call_many_at_once() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let told = client.get("/async/call?times=10&url=http://other.internal/hello")?.expect(200)?.json()?;
    let answers = told.as_array().cloned().unwrap_or_default();
    assert_eq!(answers.len(), 10, "{told}");
    assert!(
        answers.iter().all(|answer| answer["status"] == 200 && answer["body"] == "Hello from the probe.\n"),
        "{told}"
    );
    // More than may be alive below one request are refused, not queued for ever.
    let told =
        client.get("/async/call?times=80&url=http://async-fresh.internal/inside?ms=2000")?.expect(200)?.json()?;
    let refused =
        told.as_array().cloned().unwrap_or_default().iter().filter(|answer| answer["error"].is_string()).count();
    assert!(refused >= 16, "{told}");
    Ok(())
}
