//! An app whose components tell which revision they are of, and call each other.

use hull_tests::app::App;
use hull_tests::files;
use hull_tests::http::Client;
use hull_tests::probe;
use serde_json::{Value, json};

/// Two components that know the same mark: `front` calls `back`.
pub(crate) fn manifest(name: &str, mark: &str, more: &str) -> String {
    let front = format!(
        "allowed_outbound_hosts = [\"http://back.internal\"]\nvariables = {{ mark = \"{mark}\" }}\n\
         key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]"
    );
    let back = format!("variables = {{ mark = \"{mark}\" }}\nkey_value_stores = [\"default\"]");
    probe::application(name)
        + &probe::component("front", &front, more)
        + &probe::component("back", &back, "[component.back.tool.hull.limits]\nconcurrency = 64")
}

/// The app with a mark.
pub(crate) fn app(mark: &str) -> anyhow::Result<App> {
    App::of_text(&manifest("pair", mark, ""))
}

/// The marks that one request sees: of the component that it reaches, and of the one that this calls.
pub(crate) fn marks(client: &Client) -> anyhow::Result<(String, String)> {
    let own = json!({ "do": "config", "key": "mark" });
    let call = json!({ "do": "call", "url": "http://back.internal/run", "script": [own] });
    let results = probe::must(client, "/front/run", &json!([own, call]))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&results[0]), text(&results[1]["body"]["results"][0])))
}

/// Check that every request sees one revision, and that one.
pub(crate) fn serves(client: &Client, mark: &str) -> anyhow::Result<()> {
    let seen = marks(client)?;
    anyhow::ensure!(seen == (mark.to_owned(), mark.to_owned()), "{seen:?} instead of {mark}");
    Ok(())
}

/// Another build of the probe: the same code under another digest.
pub(crate) fn other_build(app: &App, mark: &str) -> anyhow::Result<String> {
    let mut bytes = std::fs::read(files::guest("probe")?)?;
    // A custom section: its id, its length, the length of its name, its name.
    let name = format!("build-{mark}");
    let length = u8::try_from(name.len())?;
    bytes.extend([0, length + 1, length]);
    bytes.extend(name.as_bytes());
    let path = app.folder().join(format!("probe-{mark}.wasm"));
    std::fs::write(&path, bytes)?;
    Ok(path.display().to_string())
}
