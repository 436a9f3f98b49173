//! The admin address: health and metrics for everyone, the rest for those with the token.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use hull_tests::app::App;
use hull_tests::subset::difference;
use hull_tests::wait;
use serde_json::json;

use crate::{app, manifest};

#[test]
fn health_and_metrics_are_open_and_v1_is_not() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let admin = host.admin();
    for path in ["/healthz/live", "/healthz/ready"] {
        admin.get(path)?.expect_json(200, &json!({"status": "ok", "parts": {}}))?;
    }
    host.client().get("/probe/hello")?.expect(200)?;
    let metrics = admin.get("/metrics")?;
    assert!(metrics.header("content-type").unwrap_or_default().starts_with("text/plain"), "{:?}", metrics.head);
    let line = "hull_http_requests_total{app=\"small\",component=\"probe\",status=\"2xx\"} 1";
    assert!(metrics.text().contains(line), "{}", metrics.text());

    for path in ["/v1/components", "/v1/apps", "/v1/apps/small/logs"] {
        let refused = admin.get(path)?;
        assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{path}");
        refused.expect(401)?;
        admin.request("GET", path).header("authorization", "Bearer guess").send()?.expect(401)?;
        host.asked("GET", path)?.send()?.expect(200)?;
    }
    admin.request("POST", "/v1/apps/small/events/a.b").body("x").send()?.expect(401)?;
    let mode = std::fs::metadata(app.state_dir().join("admin-token"))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    host.asked("GET", "/v1/nothing")?.send()?.expect(404)?;
    // The gateway has none of it.
    host.client().get("/metrics")?.expect(404)?;
    host.client().get("/healthz/live")?.expect(404)?;
    Ok(())
}

#[test]
fn components_are_described() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    host.client().get("/probe/hello")?.expect(200)?;
    let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
    let expected = json!({"components": [{"app": "small", "component": "probe", "version": "*", "reuse": "never",
        "limits": {"memory_bytes": 67_108_864}, "subscriptions": [], "storage": {"dead_letters": 0, "outbox": 0}}]});
    assert_eq!(difference(&expected, &told), None, "{told}");
    assert_eq!(told["components"][0]["version"].as_str().map(str::len), Some(64));
    let apps = host.asked("GET", "/v1/apps")?.send()?.expect(200)?.json()?;
    let expected = json!({"apps": [{"app": "small", "version": "1.0.0", "components": ["probe"],
        "routes": [{"route": "/probe/...", "component": "probe"}]}]});
    assert_eq!(difference(&expected, &apps), None, "{apps}");
    let openapi = host.asked("GET", "/v1/openapi.json")?.send()?.expect(200)?.json()?;
    for path in ["/v1/apps", "/v1/components", "/v1/apps/{app}/logs", "/v1/apps/{app}/dead-letters"] {
        assert!(openapi["paths"][path].is_object(), "{path} is not described");
    }
    Ok(())
}

#[test]
fn a_busy_guest_does_not_delay_health() -> anyhow::Result<()> {
    let limits = "[component.probe.tool.hull.limits]\ntime = \"60s\"\ncpu-per-invocation = \"60s\"";
    let app = App::of_text(&manifest(limits))?;
    let host = app.up()?;
    let script = json!([{"do": "loop"}]);
    let looping: Vec<_> = (0..8)
        .map(|_| host.client().request("POST", "/probe/run").json(&script).start())
        .collect::<anyhow::Result<_>>()?;
    wait::until("all of them to be inside", || Ok((host.inside("probe")? == 8).then_some(())))?;
    for path in ["/healthz/live", "/healthz/ready", "/metrics"] {
        let begun = hull_clock::now();
        host.admin().get(path)?.expect(200)?;
        assert!(begun.elapsed() < Duration::from_secs(1), "{path}: {:?}", begun.elapsed());
    }
    assert_eq!(host.inside("probe")?, 8, "they ran all the while");
    drop(looping);
    Ok(())
}
