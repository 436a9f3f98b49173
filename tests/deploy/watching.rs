//! `hull up --watch`: what changes on disk serves, and what is wrong does not.

use hull_tests::app::App;
use hull_tests::host::Host;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

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
    let app = built_with("cp site/in.txt out/page.txt")?.flags(["--watch"]);
    app.write("out/page.txt", "first")?;
    let host = app.up()?;
    assert_eq!(page(&host)?, ["first"]);
    app.write("site/in.txt", "the second")?;
    wait::until("the new page", || Ok((page(&host)? == ["the second"]).then_some(())))?;
    Ok(())
}

#[test]
fn what_changes_while_it_is_built_is_built_again() -> anyhow::Result<()> {
    // Somebody writes to the file when it has just been read.
    let build = "cp site/in.txt out/page.txt && (test -e late || (touch late && echo -n second > site/in.txt))";
    let app = built_with(build)?.flags(["--watch", "--build"]);
    app.write("out/page.txt", "")?;
    let host = app.up()?;
    wait::until("the page of what was written late", || Ok((page(&host)? == ["second"]).then_some(())))?;
    Ok(())
}

/// The app with a page that this command makes of a text.
fn built_with(command: &str) -> anyhow::Result<App> {
    let app = app("one")?;
    let build = format!("[component.front.build]\ncommand = \"{command}\"\nwatch = [\"site/*.txt\"]\n");
    let text = manifest("pair", "one", "").replacen(
        "[component.front]",
        &format!("{build}[component.front]\nfiles = [\"out/*\"]"),
        1,
    );
    app.write("site/in.txt", "first")?;
    app.set_text(&text)?;
    Ok(app)
}

fn page(host: &Host) -> anyhow::Result<Vec<Value>> {
    let script = json!([{ "do": "read", "path": "/out/page.txt" }]);
    probe::must(&host.client(), "/front/run", &script)
}
