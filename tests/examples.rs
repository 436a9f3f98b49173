//! The examples do what their READMEs say.

mod orchestrated_checkout;

use std::path::PathBuf;

use anyhow::Context as _;
use hull_tests::app::App;
use hull_tests::{files, wait};
use serde_json::{Value, json};

fn example(name: &str) -> anyhow::Result<App> {
    let manifest: PathBuf = files::project().join("examples").join(name).join("spin.toml");
    App::of_file(&manifest).with_context(|| format!("the example {name}"))
}

#[test]
fn hello_http_greets_as_its_variable_says() -> anyhow::Result<()> {
    let host = example("hello-http")?.variable("SPIN_VARIABLE_GREETING", "Moin").up()?;
    host.client().get("/hello/ada")?.expect_json(200, &json!({"text": "Moin, ada!"}))?;
    assert_eq!(host.client().get("/")?.expect(200)?.text(), "Try /hello/ada\n");
    host.stop()?;
    Ok(())
}

#[test]
fn hello_events_counts_each_event_once() -> anyhow::Result<()> {
    let app = example("hello-events")?;
    let host = app.up()?;
    let visits = |wanted: u64| {
        wait::until(&format!("{wanted} visits"), || {
            let answer = host.client().get("/guests/ada")?;
            let is_there = answer.status() == 200 && answer.json()? == json!({"name": "ada", "visits": wanted});
            Ok(is_there.then_some(()))
        })
    };
    host.client().post("/guests", &json!({"name": "ada"}))?;
    visits(1)?;
    app.write("ada.json", r#"{"name":"ada"}"#)?;
    app.write("nobody.json", r#"{"name":""}"#)?;
    let publish = |file: &str, id: &str| {
        let published = app.command(&["publish", "guests.arrived", file, "--id", id, "--json"])?;
        anyhow::ensure!(published.status == Some(0), "{}", published.said());
        Ok(serde_json::from_str::<Value>(&published.stdout)?["duplicate"] == true)
    };
    anyhow::ensure!(!publish("ada.json", "visit-2")?, "the first of its id");
    anyhow::ensure!(publish("ada.json", "visit-2")?, "the same id with the same content is the same event");
    visits(2)?;
    publish("nobody.json", "visit-3")?;
    wait::until("the dead letter", || {
        let listed = app.command(&["dead-letters", "list"])?;
        Ok(listed.stdout.contains("guests/1").then_some(()))
    })?;
    host.stop()?;
    Ok(())
}
