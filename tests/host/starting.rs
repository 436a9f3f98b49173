//! Starting: what is printed, and the caches that make it quick.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hull_tests::{files, probe};
use serde_json::json;

use crate::{START_TIME, app, manifest};

#[test]
fn a_ready_host_says_where_it_is() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let ready = host.ready();
    assert_eq!(ready["app"], "small", "{ready}");
    assert!(ready["ready_ms"].is_u64(), "{ready}");
    assert!(ready["routes"].to_string().contains("/probe/..."), "{ready}");
    let address = fs::read_to_string(app.state_dir().join("admin-address"))?;
    assert_eq!(json!(address.trim()), ready["admin"]);
    host.client().get("/probe/hello")?.expect(200)?;
    let listing = host.stop()?;
    assert!(!listing.contains("panicked"), "{listing}");
    Ok(())
}

#[test]
fn for_people_it_prints_routes_and_the_time() -> anyhow::Result<()> {
    let app = app()?;
    let mut command = Command::new(files::hull()?);
    command.args(["up", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "-f"]).arg(app.manifest());
    command.arg("--state-dir").arg(app.state_dir()).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn()?;
    let stdout = hull_tests::output::Output::of(child.stdout.take().expect("piped"));
    let stderr = hull_tests::output::Output::of(child.stderr.take().expect("piped"));
    let ready = hull_tests::wait::until_within(START_TIME, "the words of a ready host", || {
        Ok(stdout.find(|line| line.contains("ready in").then(|| line.to_owned())))
    });
    child.kill()?;
    child.wait()?;
    let said = stdout.whole();
    let ready = ready.map_err(|error| error.context(format!("{said}\n{}", stderr.whole())))?;
    assert!(ready.contains(" ms"), "{ready}");
    assert!(said.contains("/probe/...") && said.contains("probe") && said.contains("127.0.0.1:"), "{said}");
    Ok(())
}

fn code_files(app: &hull_tests::app::App) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(app.state_dir().join("cache"))?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect())
}

#[test]
fn damaged_code_is_compiled_again() -> anyhow::Result<()> {
    let app = app()?;
    app.without_cache()?;
    app.up()?.stop()?;
    let large: Vec<PathBuf> = code_files(&app)?.into_iter().filter(|path| size(path) > 100_000).collect();
    assert!(!large.is_empty(), "nothing was cached");
    for damage in [b"garbage".to_vec(), Vec::new()] {
        for path in &large {
            // Another file in its place: other tests may hold the same one by another name.
            fs::remove_file(path)?;
            fs::write(path, &damage)?;
        }
        let host = app.up()?;
        host.client().get("/probe/hello")?.expect(200)?;
        host.stop()?;
        assert!(large.iter().all(|path| size(path) > 100_000), "it was not compiled again");
    }
    for path in &large {
        let mut bytes = fs::read(path)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::remove_file(path)?;
        fs::write(path, bytes)?;
    }
    app.up()?.client().get("/probe/hello")?.expect(200)?;
    Ok(())
}

fn size(path: &PathBuf) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

#[test]
fn another_version_of_a_component_is_another_code() -> anyhow::Result<()> {
    let app = app()?;
    let copy = app.folder().join("copy.wasm");
    fs::copy(files::guest("probe")?, &copy)?;
    app.set_text(&manifest("").replace("{probe}", "copy.wasm"))?;
    let host = app.up()?;
    assert_eq!(probe::one(&host.client(), "/probe/run", &json!({"do": "count"}))?, 1);
    host.stop()?;
    fs::copy(files::shop_component("hello")?, &copy)?;
    let host = app.up()?;
    assert_eq!(host.client().get("/probe/run")?.text(), "Hello, Hull!\n");
    Ok(())
}
