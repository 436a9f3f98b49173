//! An app that two hosts serve, its data in one PostgreSQL and its events on one nats-server: what one of them takes out
//! for good must not be the other's as well.

use hull_tests::app::App;
use hull_tests::events;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::parts::manifest;

const TRIGGER: &str = "[[trigger.messaging]]\ncomponent = \"front\"\nsubjects = [\"work.*\"]\n";
const LEFT: &str = "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%pair/%'), \
                    (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'hull%/hull/pair/%')";

#[test]
fn the_last_host_that_serves_an_app_purges_it() -> anyhow::Result<()> {
    let text = manifest("pair", "one", "") + TRIGGER;
    let mut first = App::of_text(&text)?.on_nats()?.on_postgres()?;
    let second = App::of_text(&text)?.configured_like(&first)?;
    let (one, other) = (first.host()?, second.host()?);
    first.deploy(&[])?.good()?;
    second.deploy(&[])?.good()?;
    let get = |key: &str| probe::one(&other.client(), "/front/run", &json!({ "do": "get", "key": key }));
    probe::must(&one.client(), "/front/run", &json!([{ "do": "set", "key": "kept", "value": "yes" }]))?;

    let refused = first.command(&["remove", "pair", "--purge"])?;
    assert!(refused.status == Some(1) && refused.said().contains("another host serves app pair"), "{}", refused.said());
    one.client().get("/front/hello")?.expect(200)?;
    first.command(&["remove", "pair"])?.good()?;
    let refused = first.command(&["remove", "pair", "--purge"])?;
    assert!(refused.status == Some(1) && refused.said().contains("nothing was changed"), "{}", refused.said());

    let script = json!({ "script": [{ "do": "increment", "key": "handled", "by": 1 }] });
    events::publish(&other, "pair", "work.one", &script)?;
    wait::until("the stream to be there still", || Ok((get("handled")? == "1").then_some(())))?;
    assert_eq!(get("kept")?, "yes");
    second.command(&["remove", "pair", "--purge"])?.good()?;
    assert_eq!(first.postgres().map(|server| server.sql("hull", LEFT)).as_deref(), Some("0|0"));

    first.deploy(&[])?.good()?;
    let kept = probe::one(&one.client(), "/front/run", &json!({ "do": "get", "key": "kept" }))?;
    assert_eq!(kept, Value::Null, "it begins anew");
    events::publish(&one, "pair", "work.two", &script)?;
    let handled = || probe::one(&one.client(), "/front/run", &json!({ "do": "get", "key": "handled" }));
    wait::until("it to be handled", || Ok((handled()? == "1").then_some(())))
}
