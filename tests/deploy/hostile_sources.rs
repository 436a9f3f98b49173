//! Servers and registries that mean ill: without end, with other bytes, or leading elsewhere. Nothing of it is kept, nothing
//! that serves changes, and nobody is told what is meant for somebody else.

use std::net::TcpStream;

use hull_tests::app::{App, Ended};
use hull_tests::digest;
use hull_tests::registry::{COMPONENT_TYPE, MANIFEST_TYPE};
use hull_tests::web::{Asked, Web, answer, endless};
use serde_json::{Value, json};

use crate::sources::{app_from, fetched, manifest_from, probe_bytes};

/// An app whose component is at a URL of such a server.
fn url_app(answers: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> anyhow::Result<(App, Web)> {
    let web = Web::start(answers)?;
    let app = app_from(&format!("{{ url = \"{}\", digest = \"{}\" }}", web.url("/a.wasm"), digest::of(b"x")), "one")?;
    Ok((app, web))
}

/// The same of a package. What is not asked of `answers` is not there.
fn package_app(answers: impl Fn(&str, &Asked, &mut TcpStream) + Send + Sync + 'static) -> anyhow::Result<(App, Web)> {
    let web = Web::start(move |asked, stream| match asked.target.strip_prefix("/v2/acme/front/") {
        Some(rest) => answers(rest, asked, stream),
        None if asked.target.starts_with("/token") => answers("token", asked, stream),
        None => answer(stream, "404 Not Found", &[], b""),
    })?;
    let source = format!("{{ registry = \"{}\", package = \"acme:front\", version = \"1.0.0\" }}", web.host());
    Ok((app_from(&source, "one")?, web))
}

fn manifest(layer: &Value) -> String {
    json!({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": {}, "layers": [layer]}).to_string()
}

fn layer(digest: &str, size: usize) -> Value {
    json!({"mediaType": COMPONENT_TYPE, "digest": digest, "size": size})
}

/// It is refused, told so with this word, and nothing is kept.
fn refused(app: &App, word: &str) -> anyhow::Result<Ended> {
    let ended = app.check()?;
    anyhow::ensure!(ended.status == Some(1), "{word}: {}", ended.said());
    anyhow::ensure!(ended.said().contains(word), "nothing of {word:?} in\n{}", ended.said());
    anyhow::ensure!(ended.said().contains("component front"), "{}", ended.said());
    anyhow::ensure!(fetched(app)? == 0, "something was kept after: {}", ended.said());
    Ok(ended)
}

#[test]
fn what_has_no_end_or_breaks_off_is_not_taken() -> anyhow::Result<()> {
    let (app, _web) = url_app(|asked, stream| match asked.target.as_str() {
        "/a.wasm" => endless(stream, &[]),
        _ => answer(stream, "404 Not Found", &[], b""),
    })?;
    refused(&app, "has more than 67108864 bytes")?;
    let (app, _web) = url_app(|asked, stream| match asked.target.as_str() {
        "/a.wasm" => answer(stream, "200 OK", &[], b"x"),
        _ => endless(stream, &[]),
    })?;
    refused(&app, "a.wasm.sig has more than 1024 bytes")?;
    // It announces more than it sends.
    let (app, _web) = url_app(|_, stream| {
        let _ = std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort");
    })?;
    refused(&app, "broke off")?;
    let (app, _web) = url_app(|_, stream| {
        let _ = std::io::Write::write_all(stream, b"\x16\x03\x01 no HTTP at all\r\n\r\n");
    })?;
    refused(&app, "gave no answer")?;
    let (app, _web) = url_app(|_, stream| {
        let many = "x-header: 1\r\n".repeat(10_000);
        let _ = std::io::Write::write_all(stream, format!("HTTP/1.1 200 OK\r\n{many}\r\n").as_bytes());
    })?;
    refused(&app, "gave no answer")?;
    Ok(())
}

#[test]
fn nothing_leads_to_where_it_could_be_changed() -> anyhow::Result<()> {
    for (to, word) in [
        ("http://192.0.2.1/a.wasm", "without TLS"),
        ("http://example.com/a.wasm", "without TLS"),
        ("file:///etc/passwd", "without TLS"),
        ("https://user:secret@example.com/", "with credentials"),
        ("/a.wasm", "too often"),
        ("", "too often"),
    ] {
        let (app, web) = url_app(move |_, stream| answer(stream, "302 Found", &[("location", to)], b""))?;
        refused(&app, word)?;
        assert!(web.asked().len() <= 6, "{to}: asked {} times", web.asked().len());
    }
    let (app, _web) = url_app(|_, stream| answer(stream, "302 Found", &[], b""))?;
    refused(&app, "nowhere")?;
    Ok(())
}

#[test]
fn a_registry_that_gives_something_else_is_refused() -> anyhow::Result<()> {
    let good = digest::of(b"good");
    let cases: Vec<(&str, String, &'static str)> = vec![
        ("text/html", manifest(&layer(&good, 4)), "came as \"text/html\""),
        (MANIFEST_TYPE, "<html>".to_owned(), "is not one of a component"),
        (
            MANIFEST_TYPE,
            manifest(&json!({"mediaType": "application/zip", "digest": good, "size": 4})),
            "no layer of type",
        ),
        (MANIFEST_TYPE, manifest(&layer(&good, 100 << 20)), "64 MiB is the most"),
        (MANIFEST_TYPE, manifest(&layer("sha256:../../../x", 4)), "no SHA-256"),
        (MANIFEST_TYPE, manifest(&layer(&good, 3)), "has more than 3 bytes"),
        (MANIFEST_TYPE, manifest(&layer(&digest::of(b"other"), 4)), "was meant"),
    ];
    for (kind, text, word) in cases {
        let kind = kind.to_owned();
        let (app, _web) = package_app(move |rest, _, stream| match rest {
            "manifests/1.0.0" => answer(stream, "200 OK", &[("content-type", &kind)], text.as_bytes()),
            _ => answer(stream, "200 OK", &[], b"good"),
        })?;
        refused(&app, word)?;
    }
    let (app, _web) = package_app(|_, _, stream| endless(stream, &[("content-type", MANIFEST_TYPE)]))?;
    refused(&app, "has more than 4194304 bytes")?;
    let text = manifest(&layer(&good, 4));
    let (app, _web) = package_app(move |rest, _, stream| match rest {
        "manifests/1.0.0" => answer(stream, "200 OK", &[("content-type", MANIFEST_TYPE)], text.as_bytes()),
        _ => endless(stream, &[]),
    })?;
    refused(&app, "has more than 4 bytes")?;
    Ok(())
}

#[test]
fn who_asks_for_a_token_elsewhere_or_for_ever_gets_none() -> anyhow::Result<()> {
    for (realm, word) in [
        ("http://192.0.2.1/token", "without TLS"),
        ("http://example.com/token", "without TLS"),
        ("file:///etc/passwd", "without TLS"),
        ("not a URL", "no URL"),
    ] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"x\"");
        let (app, web) = package_app(move |_, _, stream| {
            answer(stream, "401 Unauthorized", &[("www-authenticate", &challenge)], b"");
        })?;
        refused(&app, word)?;
        assert_eq!(web.asked().len(), 2, "{realm}: {:?}", web.asked());
    }
    let (app, web) = package_app(|rest, asked, stream| {
        let realm = format!("Bearer realm=\"http://{}/token\"", asked.header("host").unwrap_or_default());
        match rest {
            "token" => answer(stream, "200 OK", &[], br#"{"token": "never right"}"#),
            _ => answer(stream, "401 Unauthorized", &[("www-authenticate", &realm)], b""),
        }
    })?;
    refused(&app, "401")?;
    assert!(web.asked().len() <= 5, "{:?}", web.asked());
    let (app, _web) = package_app(|rest, asked, stream| {
        let realm = format!("Bearer realm=\"http://{}/token\"", asked.header("host").unwrap_or_default());
        match rest {
            "token" => answer(stream, "200 OK", &[], br#"{"token": "a\r\nb: c"}"#),
            _ => answer(stream, "401 Unauthorized", &[("www-authenticate", &realm)], b""),
        }
    })?;
    refused(&app, "none that can be sent")?;
    Ok(())
}

#[test]
fn a_token_and_a_login_are_for_the_registry_alone() -> anyhow::Result<()> {
    let bytes = probe_bytes()?;
    let (blob, text) = (bytes.clone(), manifest(&layer(&digest::of(&bytes), bytes.len())));
    let elsewhere = Web::start(move |_, stream| answer(stream, "200 OK", &[], &blob))?;
    let location = elsewhere.url("/storage/blob");
    let (app, web) = package_app(move |rest, asked, stream| {
        let realm = format!(
            "Bearer realm=\"http://{}/token\",service=\"here\",scope=\"repository:*:pull,push\"",
            asked.header("host").unwrap_or_default()
        );
        match (rest, asked.header("authorization")) {
            ("token", _) => answer(stream, "200 OK", &[], br#"{"access_token": "opens"}"#),
            ("manifests/1.0.0", Some("Bearer opens")) => {
                answer(stream, "200 OK", &[("content-type", MANIFEST_TYPE)], text.as_bytes());
            }
            (_, Some("Bearer opens")) => answer(stream, "307 Temporary Redirect", &[("location", &location)], b""),
            _ => answer(stream, "401 Unauthorized", &[("www-authenticate", &realm)], b""),
        }
    })?;
    let login = json!({ "auths": { web.host(): { "auth": "aHVsbDpzZWNyZXQ=" }, "other": { "auth": "b3RoZXI6eA==" } } });
    app.write("nobody/config.json", &login.to_string())?;
    app.check()?.good()?;
    let token =
        web.asked().into_iter().find(|asked| asked.target.starts_with("/token")).expect("a token was asked for");
    assert_eq!(token.target, "/token?scope=repository%3Aacme%2Ffront%3Apull&service=here");
    assert_eq!(token.header("authorization"), Some("Basic aHVsbDpzZWNyZXQ="));
    let seen = elsewhere.asked();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("authorization"), None, "{seen:?}");
    Ok(())
}

#[test]
fn what_serves_goes_on_whatever_is_fetched_meanwhile() -> anyhow::Result<()> {
    let app = app_from("\"{probe}\"", "one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let web = Web::start(|_, stream| endless(stream, &[]))?;
    app.set_text(&manifest_from(
        &format!("{{ url = \"{}\", digest = \"{}\" }}", web.url("/a"), digest::of(b"x")),
        "two",
    ))?;
    assert_eq!(app.deploy(&[])?.status, Some(1));
    crate::parts::serves(&host.client(), "one")?;
    assert_eq!(app.command(&["history", "--json"])?.json()?["revisions"].as_array().map(Vec::len), Some(1));
    Ok(())
}
