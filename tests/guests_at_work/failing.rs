//! Guests that fail: each failure is an answer with a reason, and the next request finds a component in good order.

use hull_tests::http::Client;
use hull_tests::subset::difference;
use serde_json::{Value, json};

use crate::work;

/// The answer to a script that fails, checked as a problem of that kind.
fn problem(client: &Client, path: &str, script: &Value, status: u16, kind: &str) -> anyhow::Result<Value> {
    let answer = client.request("POST", path).header("x-request-id", "failing-1").json(script).send()?;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.text());
    assert_eq!(answer.header("x-request-id"), Some("failing-1"));
    let expected = json!({"type": format!("urn:hull:problem:{kind}"), "status": status, "title": "*", "detail": "*",
        "requestId": "failing-1", "instance": path});
    answer.expect_json(status, &expected)
}

fn still_well(client: &Client, component: &str) -> anyhow::Result<()> {
    client.get(&format!("/{component}/hello"))?.expect(200).map(drop)
}

#[test]
fn traps_and_panics_are_told_apart_from_answers() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    for step in [json!({"do": "trap"}), json!({"do": "panic", "message": "secret words"}), json!({"do": "recurse"})] {
        let told = problem(&client, "/plain/run", &json!([step]), 500, "trapped")?;
        assert_eq!(told["component"], "plain");
        assert!(!told.to_string().contains("secret words"), "what a guest says of itself is for its log");
        still_well(&client, "plain")?;
    }
    let logs = work.host().asked("GET", "/v1/apps/work/logs?component=plain&lines=200")?.send()?.expect(200)?.text();
    assert!(logs.contains("secret words"), "{logs}");
    Ok(())
}

#[test]
fn limits_end_what_goes_beyond_them() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let told = problem(&client, "/busy/run", &json!([{"do": "loop"}]), 500, "cpu-exceeded")?;
    assert_eq!(difference(&json!({"detail": "~ limits.cpu-per-invocation"}), &told), None);
    let told = problem(&client, "/tight/run", &json!([{"do": "hog", "mib": 32}]), 500, "memory-exceeded")?;
    assert_eq!(difference(&json!({"detail": "~ limits.memory"}), &told), None);
    let told = problem(&client, "/tight/run", &json!([{"do": "sleep", "ms": 30_000}]), 504, "deadline-exceeded")?;
    assert_eq!(difference(&json!({"detail": "~ limits.time"}), &told), None);
    still_well(&client, "tight")?;
    // Just below, all of it is fine.
    let fine = json!([{"do": "hog", "mib": 8}, {"do": "spin", "ms": 20}, {"do": "sleep", "ms": 100}]);
    client.post("/tight/run", &fine)?.expect_json(200, &json!({"failed": 0}))?;
    Ok(())
}

#[test]
fn a_loop_holds_up_no_neighbour() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let looping: Vec<_> = (0..4)
        .map(|_| client.request("POST", "/looping/run").json(&json!([{"do": "loop"}])).start())
        .collect::<anyhow::Result<_>>()?;
    for _ in 0..20 {
        still_well(&client, "other")?;
        work.host().admin().get("/healthz/live")?.expect(200)?;
    }
    for mut exchange in looping {
        assert_eq!(exchange.head()?.status, 500);
    }
    Ok(())
}

#[test]
fn no_answer_and_a_refusal_are_bad_gateways() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    for path in ["/plain/no-response", "/plain/error-response", "/async/refuse"] {
        let answer = client.get(path)?;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        answer.expect_json(502, &json!({"type": "urn:hull:problem:no-response", "status": 502}))?;
        still_well(&client, "plain")?;
    }
    Ok(())
}

#[test]
fn half_a_body_is_never_taken_for_a_whole_one() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    for path in ["/plain/half-body", "/plain/trap-in-body", "/plain/short-body"] {
        let mut exchange = client.request("GET", path).start()?;
        // The head may be out already; then the body must break off. If not, there may be another answer.
        let whole = exchange.head().and_then(|head| Ok((head.status, exchange.body(&head)?)));
        match whole {
            Ok((status, body)) => assert!(status >= 500, "{path} looks complete: {status} {body:?}"),
            Err(broken) => assert!(!broken.to_string().contains("os error 11"), "{path} hangs"),
        }
        still_well(&client, "plain")?;
    }
    // What goes beyond its own length is cut, so that it cannot pass for the next answer.
    let long = client.get("/plain/long-body")?;
    assert!(long.status() >= 500 || long.text() == "xxxx", "{}", long.text());
    still_well(&client, "plain")
}

#[test]
fn an_asynchronous_guest_that_traps_takes_only_its_instance_along() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    for component in ["async-trapping", "async-fresh"] {
        let path = format!("/{component}/trap");
        client.get(&path)?.expect_json(500, &json!({"type": "urn:hull:problem:trapped"}))?;
        still_well(&client, component)?;
    }
    Ok(())
}

#[test]
fn an_asynchronous_guest_that_loops_is_ended() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    for component in ["async-looping", "async-fresh"] {
        let answer = client.get(&format!("/{component}/loop"))?;
        assert!(matches!(answer.status(), 500 | 504), "{component}: {} {}", answer.status(), answer.text());
        still_well(&client, component)?;
        still_well(&client, "plain")?;
    }
    Ok(())
}

#[test]
fn a_body_above_the_bound_is_refused() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    let told = client.request("POST", "/tight/upload").body(vec![b'x'; 65 * 1024]).send()?;
    told.expect_json(413, &json!({"type": "urn:hull:problem:body-too-large", "detail": "~ limits.body-in-max"}))?;
    client
        .request("POST", "/tight/upload")
        .body(vec![b'x'; 64 * 1024])
        .send()?
        .expect_json(200, &json!({"bytes": 65_536}))?;

    // Without a length it shows only while it comes, and the guest sees it.
    let mut exchange = client.request("POST", "/tight/upload").header("transfer-encoding", "chunked").start()?;
    let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
    let sent = (0..8).try_for_each(|_| exchange.send(&chunk)).and_then(|()| exchange.send(b"0\r\n\r\n"));
    let head = exchange.head().map_err(|error| error.context(format!("{sent:?}")))?;
    let told = String::from_utf8(exchange.body(&head)?)?;
    assert!(head.status == 413 || told.contains("65536 bytes"), "{head:?} {told}");
    assert!(!told.contains("131072"), "{told}");
    Ok(())
}
