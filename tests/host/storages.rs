//! Data on a PostgreSQL server, as an operator sets it up: over TLS or not at all, for several hosts or for one, and after
//! it was somewhere else.

use std::net::TcpListener;
use std::path::PathBuf;

use hull_tests::app::App;
use hull_tests::postgres::PostgresServer;
use hull_tests::{files, probe, wait};
use serde_json::json;

use crate::{failed, manifest};

/// How far off a delayed event is: beyond the test.
const HOUR_MS: u64 = 3_600_000;

fn certificate(name: &str) -> PathBuf {
    files::project().join("runtime/bus/tests/nats/fixtures").join(name)
}

fn on(url: &str, more: &str) -> String {
    format!("[storage.default]\nbackend = \"postgres\"\nurl = \"{url}\"\n{more}")
}

/// An app whose host trusts that authority alone.
fn trusting(authority: &str, url: &str) -> anyhow::Result<App> {
    let app = App::of_text(&manifest(""))?.variable("SSL_CERT_FILE", &certificate(authority).display().to_string());
    app.write("hull.toml", &on(url, ""))?;
    Ok(app)
}

#[test]
fn the_connection_is_encrypted_where_the_url_asks_for_it() -> anyhow::Result<()> {
    let server = PostgresServer::start_with_tls(&certificate("server.pem"), &certificate("server.key"));
    let url = server.database("hull") + "?sslmode=require";
    let app = trusting("ca.pem", &url)?;
    let host = app.up()?;
    let set = json!({"do": "set", "key": "k", "value": "v"});
    probe::must(&host.client(), "/probe/run", &json!([set]))?;
    let sql = "SELECT count(*) > 1 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE usename LIKE 'hull%'";
    assert_eq!(server.sql("hull", sql), "t");
    host.stop()?;
    Ok(())
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() -> anyhow::Result<()> {
    let server = PostgresServer::start_with_tls(&certificate("server.pem"), &certificate("server.key"));
    let url = server.database("hull") + "?sslmode=require";
    failed(&trusting("other-ca.pem", &url)?.up_ends()?, &["probe", "certificate"]);
    assert_eq!(server.sql("hull", "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'hull%'"), "0");
    Ok(())
}

#[test]
fn a_second_host_needs_a_bus_that_both_hear() -> anyhow::Result<()> {
    let server = PostgresServer::start();
    let config = on(&server.database("hull"), "");
    let (app, beside) = (App::of_text(&manifest(""))?, App::of_text(&manifest(""))?);
    app.write("hull.toml", &config)?;
    beside.write("hull.toml", &config)?;
    let host = app.up()?;
    failed(&beside.up_ends()?, &["small/probe", "another host", "backend = \"nats\""]);
    host.stop()?;
    let other = beside.up()?;
    // One that was killed holds nothing against the next.
    other.kill()?;
    app.up()?.stop()?;
    Ok(())
}

#[test]
fn a_server_that_comes_later_than_the_host_is_waited_for() -> anyhow::Result<()> {
    let mut server = PostgresServer::start();
    let url = server.database("hull");
    let app = App::of_text(&manifest(""))?;
    app.write("hull.toml", &on(&url, "connect-within = \"0s\"\n"))?;
    app.up()?.stop()?;
    server.kill();
    failed(&app.up_ends()?, &["probe", "connect-within"]);
    app.write("hull.toml", &on(&url, ""))?;
    std::thread::scope(|scope| {
        // Whoever comes is turned away, as by a server that starts.
        let door = TcpListener::bind(("127.0.0.1", server.port()))?;
        door.set_nonblocking(true)?;
        let coming = scope.spawn(|| app.up());
        drop(wait::until("the host to look for it", || Ok(door.accept().ok()))?);
        drop(door);
        server.restart();
        let host = coming.join().map_err(|_| anyhow::anyhow!("the thread panicked"))??;
        let set = json!({"do": "set", "key": "k", "value": "v"});
        probe::must(&host.client(), "/probe/run", &json!([set]))?;
        assert!(host.stop()?.contains("a database server is away"), "it was waited for");
        Ok(())
    })
}

#[test]
fn what_waits_in_an_old_outbox_is_not_left_behind() -> anyhow::Result<()> {
    let app = App::of_text(&manifest("publishes = [\"reminders.*\"]"))?;
    let server = PostgresServer::start();
    let host = app.up()?;
    let at_ms = hull_clock::unix_ms() + HOUR_MS;
    let later = json!({"do": "publish", "subject": "reminders.due", "deliver_at": at_ms, "payload": "now"});
    probe::must(&host.client(), "/probe/run", &json!([later]))?;
    host.stop()?;

    app.write("hull.toml", &on(&server.database("hull"), ""))?;
    failed(&app.up_ends()?, &["1 events of small/probe", "data.db", "hull status"]);
    let file = app.database("small", "probe");
    std::fs::remove_file(&file)?;
    app.up()?.stop()?;
    Ok(())
}
