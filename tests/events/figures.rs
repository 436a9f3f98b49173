//! What operators see of a component's events: how many wait, are out, came again, were set aside, and how old they are.

use hull_tests::host::Host;
use hull_tests::mail::{APP, app, seen_and_ok, until_seen};
use hull_tests::{events, wait};
use serde_json::json;

use crate::placed;
use crate::post::handler;

const HOUR_MS: u64 = 3_600_000;

fn figure(host: &Host, name: &str, component: &str) -> anyhow::Result<Option<f64>> {
    host.metric(&format!("{name}{{app=\"{APP}\",component=\"{component}\"}}"))
}

fn until(host: &Host, name: &str, component: &str, expected: f64) -> anyhow::Result<()> {
    let mut last = None;
    let seen = wait::until(&format!("{name} of {component} to be {expected}"), || {
        last = figure(host, name, component)?;
        Ok((last == Some(expected)).then_some(()))
    });
    seen.map_err(|error| error.context(format!("it is {last:?}")))
}

#[test]
fn what_waits_is_out_came_again_or_was_set_aside_is_in_the_metrics() -> anyhow::Result<()> {
    let quick = "max-deliver = 5\nbackoff = [\"10ms\"]";
    let app = placed(app(&[
        handler("line", &format!("subjects = [\"line.*\"]\nordered = true\n{quick}"), "", ""),
        handler("worker", &format!("subjects = [\"work.*\"]\n{quick}"), "", ""),
    ])?)?;
    let host = app.up()?;
    let later = json!({"script": [], "then": "retry", "retry_ms": HOUR_MS});
    for _ in 0..5 {
        events::publish(&host, APP, "line.held", &later)?;
    }
    until(&host, "hull_events_in_flight", "line", 1.0)?;
    until(&host, "hull_events_backlog", "line", 4.0)?;
    let lag = || figure(&host, "hull_events_lag_seconds", "line");
    let before = wait::until("the first to become old", || Ok(lag()?.filter(|seconds| *seconds > 0.0)))?;
    wait::until("it to become older", || Ok(lag()?.filter(|seconds| *seconds > before && *seconds < 60.0)))?;

    let third_time = json!({"script": seen_and_ok()["script"], "then": "retry", "retry_ms": 1, "ok_from": 3});
    events::publish(&host, APP, "work.third-time", &third_time)?;
    until_seen(&host.client(), "worker", "work.third-time", 1)?;
    until(&host, "hull_events_redelivered", "worker", 2.0)?;
    events::publish(&host, APP, "work.bad", &json!({"script": [], "then": "reject"}))?;
    until(&host, "hull_dead_letters", "worker", 1.0)?;
    for name in ["hull_events_in_flight", "hull_events_backlog", "hull_events_lag_seconds"] {
        until(&host, name, "worker", 0.0)?;
    }
    assert_eq!(figure(&host, "hull_dead_letters", "line")?, Some(0.0));
    host.stop().map(drop)
}
