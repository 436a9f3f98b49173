//! A client that goes away takes its invocation along; work after a complete answer goes on.

use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::work;

#[test]
fn nothing_happens_after_the_client_has_gone() -> anyhow::Result<()> {
    let work = work()?;
    let (host, client) = (work.host(), work.client());
    let set = |key: &str| json!({"do": "set", "key": key, "value": "x"});
    let get = |key: &str| probe::one(&client, "/plain/run", &json!({"do": "get", "key": key}));
    let cancelled =
        || host.metric("hull_invocations_total{app=\"work\",cause=\"http\",component=\"plain\",outcome=\"cancelled\"}");
    let before = cancelled()?.unwrap_or(0.0);
    let script = json!([set("cancel-begun"), {"do": "sleep", "ms": 4_000}, set("cancel-ended")]);
    let exchange = client.request("POST", "/plain/run").json(&script).start()?;
    wait::until("the guest to begin", || Ok((get("cancel-begun")? != Value::Null).then_some(())))?;
    drop(exchange);
    wait::until("the invocation to be cancelled", || Ok((cancelled()?.unwrap_or(0.0) > before).then_some(())))?;
    assert_eq!(get("cancel-ended")?, Value::Null);
    // The same script with a patient client does get there.
    probe::must(&client, "/plain/run", &json!([set("cancel-begun"), {"do": "sleep", "ms": 10}, set("cancel-ended")]))?;
    assert_eq!(get("cancel-ended")?, "x");
    Ok(())
}

#[test]
fn work_after_the_answer_is_done() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    for (path, body) in [("run-then", "later\n"), ("run-then-empty", "")] {
        let script = json!([{"do": "sleep", "ms": 300}, {"do": "set", "key": path, "value": "done"}]);
        let answer = client.post(&format!("/plain/{path}"), &script)?.expect(202)?;
        assert_eq!(answer.text(), body);
        wait::until("the work to be done", || {
            let value = probe::one(&client, "/plain/run", &json!({"do": "get", "key": path}))?;
            Ok((value == json!("done")).then_some(()))
        })?;
    }
    Ok(())
}

#[test]
fn work_after_the_answer_ends_with_its_time() -> anyhow::Result<()> {
    let work = work()?;
    let (host, client) = (work.host(), work.client());
    let script = json!([{"do": "sleep", "ms": 60_000}, {"do": "set", "key": "too-late", "value": "x"}]);
    client.post("/tight/run-then", &script)?.expect(202)?;
    wait::until("the guest to be gone", || Ok((host.inside("tight")? == 0).then_some(())))?;
    assert_eq!(probe::one(&client, "/tight/run", &json!({"do": "get", "key": "too-late"}))?, Value::Null);
    Ok(())
}
