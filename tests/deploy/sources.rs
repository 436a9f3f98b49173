//! Components from a URL and from a registry: fetched by whoever deploys, compared with what was meant, and held to the same
//! signatures.

use hull_tests::app::App;
use hull_tests::registry::Registry;
use hull_tests::web::{Web, answer};
use hull_tests::{digest, files};
use serde_json::json;

use crate::keys::{key, last, sign, trust};
use crate::parts::serves;

/// An app of a component from there and one from a file, with a folder of its own for what is fetched.
pub(crate) fn app_from(source: &str, mark: &str) -> anyhow::Result<App> {
    let app = App::of_text("")?;
    app.set_text(&manifest_from(source, mark))?;
    let fetched = app.folder().join("fetched").display().to_string();
    let nobody = app.folder().join("nobody").display().to_string();
    Ok(app.variable("XDG_CACHE_HOME", &fetched).variable("DOCKER_CONFIG", &nobody))
}

/// Its manifest.
pub(crate) fn manifest_from(source: &str, mark: &str) -> String {
    crate::parts::manifest("pair", mark, "").replacen("source = \"{probe}\"", &format!("source = {source}"), 1)
}

/// What was fetched and kept.
pub(crate) fn fetched(app: &App) -> anyhow::Result<usize> {
    let folder = app.folder().join("fetched/hull/components");
    if !folder.exists() {
        return Ok(0);
    }
    Ok(std::fs::read_dir(folder)?.count())
}

pub(crate) fn probe_bytes() -> anyhow::Result<Vec<u8>> {
    Ok(std::fs::read(files::guest("probe")?)?)
}

#[test]
fn a_component_from_a_url_is_what_its_digest_says() -> anyhow::Result<()> {
    let bytes = probe_bytes()?;
    let web = Web::of_files(&[("/a/probe.wasm", &bytes)])?;
    let url = web.url("/a/probe.wasm?token=hidden");
    let wrong = format!("{{ url = \"{url}\", digest = \"{}\" }}", digest::of(b"something else"));
    let app = app_from(&wrong, "one")?;
    let host = app.host()?;
    let refused = app.deploy(&[])?;
    assert_eq!(refused.status, Some(1), "{}", refused.said());
    for word in ["component front", &digest::of(&bytes), &digest::of(b"something else"), "was meant"] {
        assert!(refused.said().contains(word), "nothing of {word} in\n{}", refused.said());
    }
    assert_eq!(fetched(&app)?, 0, "what is wrong is not kept");
    let right = format!("{{ url = \"{url}\", digest = \"{}\" }}", digest::of(&bytes));
    app.set_text(&manifest_from(&right, "one"))?;
    let record = app.deploy(&["--json"])?.json()?;
    assert_eq!(record["components"]["front"]["source"], web.url("/a/probe.wasm"), "{record}");
    serves(&host.client(), "one")?;
    let checked = app.check()?.good()?;
    assert!(checked.stderr.contains(&format!(
        "front: {}, {}, not signed",
        web.url("/a/probe.wasm"),
        digest::of(&bytes)
    )));
    let effective = format!("source.digest = \"{}\"", digest::of(&bytes));
    assert!(checked.stdout.contains(&effective), "{}", checked.stdout);
    let audit = app.command(&["audit"])?.good()?.stdout;
    assert!(audit.contains(&format!("front {} from {}", digest::of(&bytes), web.url("/a/probe.wasm"))), "{audit}");
    assert!(!audit.contains("hidden"), "{audit}");
    // What is here need not come again, and a host needs nobody.
    drop(web);
    app.set_text(&manifest_from(&right, "two"))?;
    app.deploy(&[])?.good()?;
    host.kill()?;
    serves(&app.host()?.client(), "two")?;
    // What was kept and has changed is not used.
    for kept in std::fs::read_dir(app.folder().join("fetched/hull/components"))? {
        std::fs::write(kept?.path(), "changed")?;
    }
    let gone = app.check()?;
    assert!(gone.status == Some(1) && gone.said().contains("cannot be reached"), "{}", gone.said());
    Ok(())
}

#[test]
fn an_app_from_its_file_fetches_as_well() -> anyhow::Result<()> {
    let bytes = probe_bytes()?;
    let (web, target) = (Web::of_files(&[("/probe.wasm", &bytes)])?, digest::of(&bytes));
    let app = app_from(&format!("{{ url = \"{}\", digest = \"{target}\" }}", web.url("/probe.wasm")), "one")?;
    serves(&app.up()?.client(), "one")
}

#[test]
fn the_signature_lies_beside_the_file_wherever_that_is() -> anyhow::Result<()> {
    let bytes = probe_bytes()?;
    let app = app_from("\"probe.wasm\"", "one")?;
    std::fs::write(app.folder().join("probe.wasm"), &bytes)?;
    let (ci, _) = (key(&app, "ci")?, key(&app, "stranger")?);
    trust(&app, &[&ci])?;
    let text = crate::parts::manifest("pair", "one", "").replace("{probe}", "probe.wasm");
    let signature = |name: &str| -> anyhow::Result<Vec<u8>> {
        sign(&app, "probe.wasm", name)?;
        Ok(std::fs::read(app.folder().join("probe.wasm.sig"))?)
    };
    let (wrong, right) = (signature("stranger")?, signature("ci")?);
    let host = app.host()?;
    let source =
        |web: &Web| format!("source = {{ url = \"{}\", digest = \"{}\" }}", web.url("/p.wasm?x=1"), digest::of(&bytes));
    let deploy = |web: &Web| {
        app.set_text(&text.replacen("source = \"probe.wasm\"", &source(web), 1))?;
        app.deploy(&[])
    };
    let unsigned = Web::of_files(&[("/p.wasm", &bytes)])?;
    let said = deploy(&unsigned)?.said();
    assert!(said.contains("front: it is not signed"), "{said}");
    let stranger = Web::of_files(&[("/p.wasm", &bytes), ("/p.wasm.sig", &wrong)])?;
    let said = deploy(&stranger)?.said();
    assert!(said.contains("front: its signature is by none"), "{said}");
    let signed = Web::of_files(&[("/p.wasm", &bytes), ("/p.wasm.sig", &right)])?;
    deploy(&signed)?.good()?;
    serves(&host.client(), "one")?;
    assert_eq!(last(&app)?, (1, json!({"front": "ci", "back": "ci"})));
    let asked: Vec<String> = signed.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(asked, ["/p.wasm?x=1", "/p.wasm.sig?x=1"]);
    Ok(())
}

#[test]
fn one_component_is_replaced_from_elsewhere() -> anyhow::Result<()> {
    let mut bytes = probe_bytes()?;
    bytes.extend([0, 2, 1, b'x']);
    let away = bytes.clone();
    let web = Web::start(move |asked, stream| match asked.target.as_str() {
        "/latest.wasm" => answer(stream, "302 Found", &[("location", "/v2.wasm")], b""),
        "/v2.wasm" => answer(stream, "200 OK", &[], &away),
        _ => answer(stream, "404 Not Found", &[], b""),
    })?;
    let app = app_from("\"{probe}\"", "one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let url = web.url("/latest.wasm");
    let without = app.command(&["deploy", "front", &url])?;
    assert!(without.status == Some(1) && without.said().contains("--digest sha256:"), "{}", without.said());
    let plain = app.command(&["deploy", "front", "http://example.com/x.wasm", "--digest", &digest::of(&bytes)])?;
    assert!(plain.status == Some(2) && plain.said().contains("https://"), "{}", plain.said());
    let record = app.command(&["deploy", "front", &url, "--digest", &digest::of(&bytes), "--json"])?.json()?;
    assert_eq!(record["components"]["front"]["sha256"], digest::of(&bytes).replace("sha256:", ""));
    let registry = Registry::start()?;
    registry.push("acme/front", "2", &bytes, &json!({}))?;
    let place = format!("oci://{}/acme/front:2", registry.host());
    app.command(&["deploy", "front", &place])?.good()?;
    serves(&host.client(), "one")
}

#[test]
fn a_package_of_a_registry_is_deployed_and_its_signature_checked() -> anyhow::Result<()> {
    let bytes = probe_bytes()?;
    let registry = Registry::start()?;
    let source = format!("{{ registry = \"{}\", package = \"acme:front\", version = \"1.2.0\" }}", registry.host());
    let app = app_from(&source, "one")?;
    let host = app.host()?;
    let missing = app.deploy(&[])?;
    assert!(missing.status == Some(1) && missing.said().contains("404"), "{}", missing.said());
    let manifest = registry.push("acme/front", "1.2.0", &bytes, &json!({}))?;
    let place = format!("oci://{}/acme/front:1.2.0@{manifest}", registry.host());
    let record = app.deploy(&["--json"])?.json()?;
    assert_eq!(record["components"]["front"]["source"], place, "{record}");
    serves(&host.client(), "one")?;
    let audit = app.command(&["audit"])?.good()?.stdout;
    assert!(audit.contains(&format!("front {} from {place}, not signed", digest::of(&bytes))), "{audit}");
    // By the manifest's digest; another one is not taken for it.
    app.command(&["deploy", "front", &place])?.good()?;
    let other = place.replace(&manifest, &digest::of(b"another manifest"));
    assert_eq!(app.command(&["deploy", "front", &other])?.status, Some(1));
    host.stop()?;
    let ci = key(&app, "ci")?;
    trust(&app, &[&ci])?;
    std::fs::write(app.folder().join("probe.wasm"), &bytes)?;
    sign(&app, "probe.wasm", "ci")?;
    let text = manifest_from(&source, "two").replace("{probe}", "probe.wasm");
    app.set_text(&text)?;
    let host = app.host()?;
    let unsigned = app.deploy(&[])?;
    assert!(unsigned.said().contains("front: it is not signed"), "{}", unsigned.said());
    let signature = std::fs::read_to_string(app.folder().join("probe.wasm.sig"))?;
    registry.push("acme/front", "1.2.0", &bytes, &json!({"hull.signature.ed25519": signature.trim()}))?;
    app.deploy(&[])?.good()?;
    assert_eq!(last(&app)?.1, json!({"front": "ci", "back": "ci"}));
    // Neither the registry nor what was fetched is needed to come back.
    drop(registry);
    std::fs::remove_dir_all(app.folder().join("fetched"))?;
    host.kill()?;
    serves(&app.host()?.client(), "two")
}

#[test]
fn a_private_registry_wants_to_know_who_asks() -> anyhow::Result<()> {
    let registry = Registry::start_private()?;
    registry.push("acme/front", "1.0.0", &probe_bytes()?, &json!({}))?;
    let source = format!("{{ registry = \"{}\", package = \"acme:front\", version = \"1.0.0\" }}", registry.host());
    let app = app_from(&source, "one")?;
    let nobody = app.check()?;
    assert!(nobody.status == Some(1) && nobody.said().contains("401"), "{}", nobody.said());
    assert!(nobody.said().contains("`docker login`"), "{}", nobody.said());
    app.write("nobody/config.json", &registry.login().to_string())?;
    app.check()?.good()?;
    Ok(())
}

#[test]
fn packages_are_where_the_registrys_own_page_says() -> anyhow::Result<()> {
    let registry = Registry::start()?;
    registry.push("wasm/acme/front", "1.0.0", &probe_bytes()?, &json!({}))?;
    let page = json!({"oci": {"registry": registry.host(), "namespacePrefix": "wasm/"}}).to_string();
    let web = Web::start(move |asked, stream| match asked.target.as_str() {
        "/.well-known/wasm-pkg/registry.json" => {
            answer(stream, "200 OK", &[("content-type", "application/json")], page.as_bytes());
        }
        _ => answer(stream, "500 Internal Server Error", &[], b""),
    })?;
    let source = format!("{{ registry = \"{}\", package = \"acme:front\", version = \"1.0.0\" }}", web.host());
    let app = app_from(&source, "one")?;
    let checked = app.check()?.good()?;
    assert!(checked.stderr.contains(&format!("oci://{}/wasm/acme/front:1.0.0@sha256:", registry.host())));
    Ok(())
}
