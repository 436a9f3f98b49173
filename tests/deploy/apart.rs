//! Several apps on one host, and the host of one app.

use hull_tests::app::App;

use crate::parts::{app, manifest, serves};

#[test]
fn apps_are_apart_and_no_two_have_one_route() -> anyhow::Result<()> {
    let one = app("one")?;
    let host = one.host()?;
    one.deploy(&[])?.good()?;
    let same_routes = App::of_text(&manifest("second", "two", ""))?;
    let file = same_routes.manifest().display().to_string();
    let refused = one.command(&["deploy", "-f", &file])?;
    assert_eq!(refused.status, Some(1));
    assert!(refused.said().contains("/front/...") && refused.said().contains("another"), "{}", refused.said());
    serves(&host.client(), "one")?;
    same_routes.set_text(&manifest("second", "two", "").replace("\"/front/", "\"/2/").replace("\"/back/", "\"/3/"))?;
    one.command(&["deploy", "-f", &file])?.good()?;
    serves(&host.client(), "one")?;
    let set = serde_json::json!([{"do": "set", "key": "k", "value": "v"}, {"do": "get", "key": "k"}]);
    hull_tests::probe::must(&host.client(), "/front/run", &set)?;
    let get = serde_json::json!([{"do": "exists", "key": "k"}]);
    assert_eq!(hull_tests::probe::must(&host.client(), "/2/run", &get)?, [false], "storage is apart");
    let which = one.command(&["history"])?;
    assert!(which.status == Some(1) && which.said().contains("pair, second"), "{}", which.said());
    one.command(&["rollback", "1", "--app", "second"])?.good()?;
    drop(host);
    let host = one.host()?;
    serves(&host.client(), "one")?;
    host.client().get("/2/hello")?.expect(200)?;
    Ok(())
}

#[test]
fn a_host_that_runs_an_app_from_a_file_takes_no_deployment() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.up()?;
    let refused = app.deploy(&[])?;
    assert_eq!(refused.status, Some(1));
    assert!(refused.said().contains("start one with `hull host`"), "{}", refused.said());
    serves(&host.client(), "one")
}
