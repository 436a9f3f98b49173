//! What keeps a host from starting: it says what is wrong and what would mend it, ends with 1, and changes nothing.

use std::fs;
use std::net::TcpListener;

use hull_tests::app::App;
use hull_tests::probe;
use serde_json::json;

use crate::{app, failed, manifest};

#[test]
fn a_port_in_use() -> anyhow::Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    failed(&app()?.flags(["--listen", address.as_str()]).up_ends()?, &[&address, "cannot listen", "--listen"]);
    failed(&app()?.flags(["--admin", address.as_str()]).up_ends()?, &[&address, "--admin"]);
    Ok(())
}

#[test]
fn a_state_directory_of_another_host() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let state = app.state_dir().canonicalize()?.display().to_string();
    failed(&app.up_ends()?, &[&state, "running host", "--state-dir"]);
    // The first one does not mind.
    host.client().get("/probe/hello")?.expect(200)?;
    assert_eq!(app.command(&["status"])?.status, Some(0), "the address and the token are still the first one's");
    host.kill()?;
    // A lock goes with its process, however that ended.
    app.up()?.stop()?;
    Ok(())
}

#[test]
fn a_state_directory_of_another_version() -> anyhow::Result<()> {
    let app = app()?;
    app.up()?.stop()?;
    fs::write(app.state_dir().join("format"), "999\n")?;
    failed(&app.up_ends()?, &["999", "format", "--state-dir"]);
    assert_eq!(fs::read_to_string(app.state_dir().join("format"))?, "999\n");
    Ok(())
}

#[test]
fn a_damaged_database() -> anyhow::Result<()> {
    let app = app()?;
    app.write("migrations/1_a.sql", "CREATE TABLE a (n INTEGER);")?;
    app.set_text(&manifest("migrations = \"migrations\""))?;
    let host = app.up()?;
    probe::must(&host.client(), "/probe/run", &json!([{"do": "execute", "sql": "INSERT INTO a VALUES (1)"}]))?;
    host.stop()?;
    let path = app.database("small", "probe");
    let whole = fs::read(&path)?;
    let mut damaged = whole.clone();
    damaged.iter_mut().take(512).for_each(|byte| *byte = b'!');
    for bytes in [damaged, b"no database at all".to_vec()] {
        fs::write(&path, &bytes)?;
        failed(&app.up_ends()?, &["data.db"]);
        assert_eq!(fs::read(&path)?, bytes, "it is left as it was");
    }
    fs::write(&path, whole)?;
    let host = app.up()?;
    assert_eq!(probe::scalar(&host.client(), "/probe/run", "SELECT count(*) FROM a")?, 1);
    Ok(())
}

#[test]
fn a_damaged_bus() -> anyhow::Result<()> {
    let app = hull_tests::mail::app(&[hull_tests::mail::handler("worker", "subjects = [\"work.*\"]", "")])?;
    let host = app.up()?;
    for _ in 0..20 {
        hull_tests::events::publish(&host, "mail", "work.kept", &hull_tests::mail::seen_and_ok())?;
    }
    hull_tests::mail::until_seen(&host.client(), "worker", "work.kept", 20)?;
    host.stop()?;
    let mut segments = Vec::new();
    collect(&app.state_dir().join("bus"), &mut segments)?;
    segments.sort_by_key(|path| fs::metadata(path).map_or(0, |meta| meta.len()));
    let path = segments.pop().expect("the bus has files");
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&path, &bytes)?;
    failed(&app.up_ends()?, &[&path.file_name().unwrap_or_default().to_string_lossy()]);
    assert_eq!(fs::read(&path)?, bytes, "it is left as it was");
    Ok(())
}

fn collect(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

#[test]
fn a_migration_that_was_changed() -> anyhow::Result<()> {
    let app = app()?;
    app.set_text(&manifest("migrations = \"migrations\""))?;
    app.write("migrations/1_a.sql", "CREATE TABLE a (n INTEGER);")?;
    app.up()?.stop()?;
    app.write("migrations/1_a.sql", "CREATE TABLE a (n INTEGER, more TEXT);")?;
    failed(&app.up_ends()?, &["probe", "1_a"]);
    app.write("migrations/1_a.sql", "CREATE TABLE a (n INTEGER);")?;

    app.write("migrations/2_b.sql", "CREATE TABLE b (n INTEGER); INSERT INTO nowhere VALUES (1);")?;
    failed(&app.up_ends()?, &["probe", "2_b", "nowhere"]);
    // A migration that fails leaves nothing of itself.
    app.write("migrations/2_b.sql", "CREATE TABLE b (n INTEGER); INSERT INTO b VALUES (7);")?;
    let host = app.up()?;
    assert_eq!(probe::scalar(&host.client(), "/probe/run", "SELECT n FROM b")?, 7);
    Ok(())
}

#[test]
fn what_is_no_component() -> anyhow::Result<()> {
    let app = app()?;
    app.set_text(&manifest("").replace("{probe}", "it.wasm"))?;
    for (bytes, said) in [
        (b"\0asm\x01\0\0\0".to_vec(), "core WebAssembly module"),
        (b"#!/bin/sh\necho hello\n".to_vec(), "not a WebAssembly component"),
        (b"\0asm\x0d\0\x01\0\xff\xff".to_vec(), "probe"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "exports nothing"),
    ] {
        fs::write(app.folder().join("it.wasm"), bytes)?;
        failed(&app.check()?, &["probe", said]);
        failed(&app.up_ends()?, &["probe", said]);
    }
    Ok(())
}

#[test]
fn an_import_that_nobody_grants() -> anyhow::Result<()> {
    let text = manifest("").replace("{probe}", "{ungranted}");
    let app = App::of_text(&text)?;
    failed(&app.check()?, &["probe", "acme:ledger/book@1.0.0"]);
    failed(&app.up_ends()?, &["probe", "acme:ledger/book@1.0.0"]);
    Ok(())
}

#[test]
fn one_bad_component_among_good_ones() -> anyhow::Result<()> {
    let good = probe::component("good", "", "");
    let bad = probe::component("bad", "", "").replace("{probe}", "{ungranted}");
    let app = App::of_text(&(probe::application("mixed") + &good + &bad))?;
    failed(&app.up_ends()?, &["bad", "acme:ledger/book@1.0.0"]);
    app.set_text(&(probe::application("mixed") + &good))?;
    app.up()?.client().get("/good/hello")?.expect(200)?;
    Ok(())
}

#[test]
fn a_wrong_use_is_status_2() -> anyhow::Result<()> {
    let app = app()?;
    for words in
        [vec!["unknown"], vec!["status", "--unknown"], vec!["invoke", "probe"], vec!["dead-letters", "show", "7"]]
    {
        let ended = app.command(&words)?;
        assert_eq!(ended.status, Some(2), "{words:?}: {}", ended.said());
    }
    let ended = app.flags(["--drain", "soon"]).up_ends()?;
    assert_eq!(ended.status, Some(2), "{}", ended.said());
    Ok(())
}
