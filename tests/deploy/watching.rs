//! `hull up --watch`: what changes on disk serves, and what is wrong does not.

use hull_tests::wait;

use crate::parts::{app, manifest, serves};

#[test]
fn what_changes_serves_and_what_is_wrong_does_not() -> anyhow::Result<()> {
    let app = app("one")?.flags(["--watch"]);
    let host = app.up()?;
    serves(&host.client(), "one")?;
    app.set_text(&manifest("pair", "two", ""))?;
    wait::until("the change to serve", || Ok(serves(&host.client(), "two").ok()))?;
    app.set_text("this is no manifest")?;
    wait::until("the mistake to be told", || Ok(host.said().contains("what serves stays").then_some(())))?;
    serves(&host.client(), "two")?;
    app.set_text(&manifest("pair", "three", ""))?;
    wait::until("the mended one to serve", || Ok(serves(&host.client(), "three").ok()))?;
    host.stop()?;
    Ok(())
}

#[test]
fn what_is_built_from_is_watched_too() -> anyhow::Result<()> {
    let app = app("one")?.flags(["--watch"]);
    let build = "[component.front.build]\ncommand = \"cp site/in.txt out/page.txt\"\nwatch = [\"site/*.txt\"]\n";
    let text = manifest("pair", "one", "").replacen(
        "[component.front]",
        &format!("{build}[component.front]\nfiles = [\"out/*\"]"),
        1,
    );
    app.write("site/in.txt", "first")?;
    app.write("out/page.txt", "first")?;
    app.set_text(&text)?;
    let host = app.up()?;
    let script = serde_json::json!([{ "do": "read", "path": "/out/page.txt" }]);
    let page = || hull_tests::probe::must(&host.client(), "/front/run", &script);
    assert_eq!(page()?, ["first"]);
    app.write("site/in.txt", "the second")?;
    wait::until("the new page", || Ok((page()? == ["the second"]).then_some(())))?;
    Ok(())
}
