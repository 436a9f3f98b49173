//! Who may connect: passwords, credentials files, TLS.

use std::path::PathBuf;

use hull_bus::{Bus, BusError, NatsBus, NatsOptions};

use crate::event;
use crate::server::Server;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/nats/fixtures").join(name)
}

fn fixture_argument(name: &str) -> String {
    fixture(name).display().to_string()
}

/// The bus opens and works.
async fn works(options: NatsOptions) {
    let bus = NatsBus::open(options).await.expect("opens");
    assert!(bus.publish("shop", &event("1", "a.b")).await.is_ok());
    bus.shutdown().await;
}

/// The bus is refused at once; with which words.
async fn refused(options: NatsOptions) -> String {
    match NatsBus::open(options).await {
        Err(error @ BusError::Configuration(_)) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opens"),
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_shown() {
    let server = Server::start_with(&["--user", "hull", "--pass", "secret"]);
    let address = |login: &str| NatsOptions::new(format!("nats://{login}127.0.0.1:{}", server.port()));
    works(address("hull:secret@")).await;
    let reason = refused(address("hull:guess@")).await;
    assert!(reason.contains("authorization violation") && !reason.contains("guess"), "{reason}");
    refused(address("")).await;
}

#[tokio::test]
async fn credentials_files_open_the_account() {
    let server = Server::start_with(&["-c", &fixture_argument("operator.conf")]);
    let plain = NatsOptions::new(server.url());
    works(NatsOptions { credentials: Some(fixture("hull.creds")), ..plain.clone() }).await;
    refused(plain.clone()).await;
    for (file, word) in [("missing.creds", "missing.creds"), ("ca.pem", "ca.pem")] {
        let reason = refused(NatsOptions { credentials: Some(fixture(file)), ..plain.clone() }).await;
        assert!(reason.contains(word), "{reason}");
    }
}

#[tokio::test]
async fn tls_is_checked_on_both_sides() {
    let (ca, certificate, key) =
        (fixture_argument("ca.pem"), fixture_argument("server.pem"), fixture_argument("server.key"));
    let server = Server::start_with(&["--tlsverify", "--tlscacert", &ca, "--tlscert", &certificate, "--tlskey", &key]);
    let identity = Some((fixture("client.pem"), fixture("client.key")));
    let options = NatsOptions { ca: Some(fixture("ca.pem")), identity, ..NatsOptions::new(server.url()) };
    works(options.clone()).await;
    works(NatsOptions { url: format!("tls://127.0.0.1:{}", server.port()), ..options.clone() }).await;
    let reason = refused(NatsOptions { ca: Some(fixture("other-ca.pem")), ..options.clone() }).await;
    assert!(reason.contains("certificate"), "{reason}");
    let reason = refused(NatsOptions { identity: None, ..options.clone() }).await;
    assert!(reason.contains("ertificate"), "{reason}");
    let reason = refused(NatsOptions { ca: Some(fixture("missing.pem")), ..options }).await;
    assert!(reason.contains("missing.pem"), "{reason}");
}
