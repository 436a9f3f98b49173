//! What is extracted is compared with the monolith before anybody gets it.

use hull_tests::app::App;
use hull_tests::wait;
use serde_json::Value;

use crate::manifest;
use crate::monolith::Monolith;

#[test]
fn a_component_is_given_what_the_monolith_answers() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let app = App::of_text(&manifest(&monolith.url(), "routes = [\"/...\"]", ""))?;
    let all =
        std::fs::read_to_string(app.manifest())?.replace("route = \"/orders/...\"", "route = \"/orders/own/...\"");
    app.set_text(&all)?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let split =
        "[application.tool.hull.routes.\"/orders/...\"]\nsplit = { upstream = \"monolith\", component = \"0%\" }";
    app.set_text(&manifest(&monolith.url(), "routes = [\"/...\"]", split))?;
    app.deploy(&["--shadow"])?.good()?;
    let text = host.client().get("/orders/hello")?.expect(200)?.text();
    assert!(text.contains("monolith"), "the client gets what the monolith said: {text}");
    host.client().get("/elsewhere")?.expect(200)?;
    let report = wait::until("both copies to be run", || {
        let report = app.command(&["rollout", "status", "--json"])?.json()?["running"]["shadow"].clone();
        let done = report["different"] == 1 && report["not_compared"].as_object().is_some_and(|one| one.len() == 1);
        Ok(done.then_some(report))
    })?;
    assert_eq!(report["not_compared"]["an upstream answers it in the new version"], 1, "{report}");
    let mismatches = report["mismatches"].as_array().cloned().unwrap_or_default();
    let body = mismatches.iter().find(|one| one["field"] == "body").cloned().unwrap_or(Value::Null);
    assert_eq!((&body["route"], &body["new"]), (&"/orders/...".into(), &"Hello from the probe.\n".into()), "{report}");
    assert_eq!(monolith.requests(), 2, "the copy reaches nobody");
    Ok(())
}
