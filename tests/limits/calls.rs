//! Calls within the app: how deep they nest, and how many may be alive below one request.

use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::downstream::{Downstream, downstream};
use crate::told::{Counted, bound};
use crate::{limited, limits};

const DEPTH: usize = 8;
/// The request's own invocation is one of those that are alive.
const BELOW: usize = 63;
/// A script of so many steps fills more than the buffer of a body.
const LONG: usize = 10_000;

pub(crate) fn manifest(downstream: &Downstream) -> String {
    let grant = downstream.grant();
    let wide = "concurrency = 100\ntime = \"30s\"\noutbound = { concurrency = 100, time = \"30s\" }";
    let asynchronous = |name: &str| limited(name, &grant, "", wide).replace("{probe}", "{probe_p3}");
    [
        probe::component("ring-a", &grant, ""),
        probe::component("ring-b", &grant, ""),
        asynchronous("trunk"),
        asynchronous("leaf"),
    ]
    .concat()
}

#[test]
fn how_deep() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let (mut a, mut b) = (Counted::of(&running, "ring-a")?, Counted::of(&running, "ring-b")?);
    // The two call each other in turn, as often as the script says.
    let call = |component: &str, script: &Value| json!([{"do": "call", "url": format!("http://{component}.internal/run"), "script": script}]);
    let nested = |depth: usize, last: &Value| {
        let to = |n: usize| if n.is_multiple_of(2) { "ring-b" } else { "ring-a" };
        (2..=depth).rev().fold(last.clone(), |script, n| call(to(n), &script))
    };
    let count = json!([{"do": "count"}]);
    let told = client.post("/ring-a/run", &nested(DEPTH, &count))?.expect(200)?.text();
    assert!(!told.contains("error"), "{told}");
    b.rose(&[])?;
    // Whether or not the eighth, which may not call, has got rid of its body when it is refused.
    for last in [&count, &json!(vec![json!({"do": "count"}); LONG])] {
        let told = client.post("/ring-a/run", &nested(DEPTH + 1, last))?.expect(200)?.text();
        assert!(told.contains("LoopDetected"), "{told}");
        b.rose(&[("call-depth", 1)])?;
    }
    a.rose(&[])?;
    bound(&running, "ring-b", "call-depth", DEPTH as f64)?;
    Ok(())
}

#[test]
fn how_many_below_one_request() -> anyhow::Result<()> {
    let (running, downstream) = (limits()?, downstream()?);
    let client = running.client();
    let mut counted = Counted::of(&running, "trunk")?;
    let path = |name: &str, times: usize| {
        let leaf = downstream.url(&format!("hold/{name}"));
        format!("/trunk/call?times={times}&url=http://leaf.internal/call?url={leaf}")
    };
    let refused = |counted: &Counted, name: &str, times: usize, let_in: usize| -> anyhow::Result<usize> {
        // Those of the request before have their places in it until they are gone.
        wait::until("the leaf to be empty", || Ok((running.host().inside("leaf")? == 0).then_some(())))?;
        let mut asking = client.request("GET", &path(name, times)).start()?;
        // All are alive at once: none of them ends before all the others have begun.
        downstream.until_held(name, let_in)?;
        wait::until("the others to be turned away", || {
            let refused = counted.since()?.get("call-depth").copied().unwrap_or(0);
            Ok((refused == (times - let_in) as u64).then_some(()))
        })?;
        downstream.release(name);
        let head = asking.head()?;
        let told: Vec<Value> = serde_json::from_slice(&asking.body(&head)?)?;
        let served = told.iter().filter(|one| one["status"] == 200).count();
        let refused = told.iter().filter(|one| one["error"].is_string()).count();
        anyhow::ensure!((served, served + refused) == (let_in, times), "{told:?}");
        Ok(refused)
    };
    assert_eq!(refused(&counted, "exactly", BELOW, BELOW)?, 0);
    counted.rose(&[])?;
    assert_eq!(refused(&counted, "beyond", BELOW + 5, BELOW)?, 5);
    counted.rose(&[("call-depth", 5)])?;
    // All of them have ended: the next request has as many again.
    assert_eq!(refused(&counted, "again", BELOW, BELOW)?, 0);
    counted.rose(&[])
}
