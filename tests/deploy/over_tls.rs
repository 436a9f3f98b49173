//! Components over TLS: from whom the system trusts, and from nobody else.

use std::process::{Child, Command, Stdio};

use hull_tests::app::App;
use hull_tests::output::Output;
use hull_tests::{digest, files, wait};

use crate::keys::{key, sign, trust};
use crate::sources::{app_from, fetched, manifest_from, probe_bytes};

/// `openssl` as a server of the files of a folder. It ends with this.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(app: &App) -> anyhow::Result<Self> {
        let fixtures = files::project().join("runtime/bus/tests/nats/fixtures");
        let mut command = Command::new("openssl");
        command.args(["s_server", "-WWW", "-accept", "127.0.0.1:0", "-cert"]).arg(fixtures.join("server.pem"));
        command.arg("-key").arg(fixtures.join("server.key")).current_dir(app.folder());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let told = Output::of(child.stdout.take().expect("it is piped"));
        let port = wait::until("openssl to listen", || {
            anyhow::ensure!(child.try_wait()?.is_none(), "openssl ended: {}", told.text());
            Ok(told.find(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.trim().parse().ok()))
        })?;
        Ok(Self { child, port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An app whose component comes from such a server, signed, with that authority as the only one.
fn trusting(authority: &str) -> anyhow::Result<(App, Server)> {
    let path = files::project().join("runtime/bus/tests/nats/fixtures").join(authority);
    let app = app_from("\"probe.wasm\"", "one")?.variable("SSL_CERT_FILE", &path.display().to_string());
    let bytes = probe_bytes()?;
    std::fs::write(app.folder().join("probe.wasm"), &bytes)?;
    let ci = key(&app, "ci")?;
    trust(&app, &[&ci])?;
    sign(&app, "probe.wasm", "ci")?;
    let server = Server::start(&app)?;
    let url = format!("https://localhost:{}/probe.wasm", server.port);
    let source = format!("{{ url = \"{url}\", digest = \"{}\" }}", digest::of(&bytes));
    app.set_text(&manifest_from(&source, "one").replace("{probe}", "probe.wasm"))?;
    Ok((app, server))
}

#[test]
fn who_is_vouched_for_is_believed() -> anyhow::Result<()> {
    let (app, _server) = trusting("ca.pem")?;
    let checked = app.check()?.good()?;
    assert!(checked.stderr.contains("front: https://localhost:"), "{}", checked.stderr);
    assert!(checked.stderr.contains(", signed by ci"), "{}", checked.stderr);
    assert!(fetched(&app)? > 0);
    Ok(())
}

#[test]
fn who_is_not_vouched_for_is_not_asked() -> anyhow::Result<()> {
    let (app, _server) = trusting("other-ca.pem")?;
    let checked = app.check()?;
    assert_eq!(checked.status, Some(1), "{}", checked.said());
    assert!(checked.said().contains("localhost cannot be reached: invalid peer certificate"), "{}", checked.said());
    assert_eq!(fetched(&app)?, 0);
    Ok(())
}
