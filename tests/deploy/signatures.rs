//! Signatures: what no trusted key has signed does not run, whichever way it comes.

use std::process::Command;

use hull_tests::app::{App, Ended, run};
use serde_json::{Value, json};

use crate::keys::{app_of_files, append, key, last, manifest_of_files, sign, trust};
use crate::parts::serves;

/// Refused, and told so with these words.
fn refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.status, Some(1), "{}", ended.said());
    for word in words {
        assert!(ended.said().contains(word), "nothing of {word:?} in\n{}", ended.said());
    }
}

#[test]
fn only_what_a_trusted_key_has_signed_is_deployed() -> anyhow::Result<()> {
    let app = app_of_files("one")?;
    let (ci, _) = (key(&app, "ci")?, key(&app, "stranger")?);
    trust(&app, &[&ci])?;
    let host = app.host()?;
    let keys = ["front: it is not signed", "back: it is not signed", "only what ci of [signatures.keys]", "`hull sign"];
    refused(&app.deploy(&[])?, &keys);
    for file in ["front.wasm", "back.wasm"] {
        sign(&app, file, "stranger")?;
    }
    refused(&app.deploy(&[])?, &["front: its signature is by none of the keys", "[signatures.keys]", "(ci)"]);
    sign(&app, "front.wasm", "ci")?;
    let half = app.deploy(&[])?;
    refused(&half, &["back: its signature is by none of the keys"]);
    assert!(!half.said().contains("front: its"), "{}", half.said());
    sign(&app, "back.wasm", "ci")?;
    app.deploy(&[])?.good()?;
    serves(&host.client(), "one")?;
    assert_eq!(last(&app)?, (1, json!({"front": "ci", "back": "ci"})));
    // The file has changed since it was signed.
    append(&app.folder().join("front.wasm"))?;
    app.set_text(&manifest_of_files("two"))?;
    refused(&app.deploy(&[])?, &["front: its signature is by none", "changed after it was signed"]);
    refused(&app.command(&["deploy", "front", "front.wasm"])?, &["front: its signature is by none"]);
    serves(&host.client(), "one")?;
    assert_eq!(last(&app)?.0, 1);
    sign(&app, "front.wasm", "ci")?;
    app.command(&["deploy", "front", "front.wasm"])?.good()?;
    app.deploy(&[])?.good()?;
    serves(&host.client(), "two")?;
    let told = app.command(&["audit", "-n", "50"])?.good()?.stdout;
    let digest = hull_tests::digest::of(&std::fs::read(app.folder().join("front.wasm"))?);
    for part in ["deploy pair: failed", &format!("front {digest} from front.wasm, signed by ci")] {
        assert!(told.contains(part), "nothing of {part:?} in\n{told}");
    }
    host.kill()?;
    serves(&app.host()?.client(), "two")
}

#[test]
fn keys_count_again_at_each_start_and_at_a_rollback() -> anyhow::Result<()> {
    let app = app_of_files("one")?;
    let (ci, release) = (key(&app, "ci")?, key(&app, "release")?);
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    host.stop()?;
    // What was deployed before anybody asked for signatures has none.
    trust(&app, &[&ci])?;
    let host = app.host()?;
    host.client().get("/front/hello")?.expect(404)?;
    let ready = host.admin().get("/healthz/ready")?.expect(503)?.text();
    assert!(ready.contains("app pair") && ready.contains("front: it is not signed"), "{ready}");
    sign(&app, "front.wasm", "ci")?;
    sign(&app, "back.wasm", "ci")?;
    app.set_text(&manifest_of_files("two"))?;
    app.deploy(&[])?.good()?;
    host.admin().get("/healthz/ready")?.expect(200)?;
    refused(&app.command(&["rollback", "1"])?, &["front: it is not signed"]);
    serves(&host.client(), "two")?;
    host.stop()?;
    // A key is taken back: what it has signed does not run any more.
    trust(&app, &[&release])?;
    let host = app.host()?;
    host.client().get("/front/hello")?.expect(404)?;
    let ready = host.admin().get("/healthz/ready")?.expect(503)?.text();
    assert!(ready.contains("front: its signature is by none of the keys") && ready.contains("(release)"), "{ready}");
    sign(&app, "front.wasm", "release")?;
    sign(&app, "back.wasm", "release")?;
    app.set_text(&manifest_of_files("three"))?;
    app.deploy(&[])?.good()?;
    refused(&app.command(&["rollback", "2"])?, &["front: its signature is by none"]);
    serves(&host.client(), "three")?;
    host.stop()?;
    trust(&app, &[&ci, &release])?;
    let host = app.host()?;
    serves(&host.client(), "three")?;
    app.command(&["rollback", "2"])?.good()?;
    serves(&host.client(), "two")?;
    assert_eq!(last(&app)?, (4, json!({"front": "ci", "back": "ci"})));
    Ok(())
}

#[test]
fn what_is_only_tried_is_checked_as_well() -> anyhow::Result<()> {
    let app = app_of_files("one")?;
    let ci = key(&app, "ci")?;
    trust(&app, &[&ci])?;
    sign(&app, "front.wasm", "ci")?;
    sign(&app, "back.wasm", "ci")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    append(&app.folder().join("back.wasm"))?;
    app.set_text(&manifest_of_files("two"))?;
    for how in [["--blue-green"].as_slice(), &["--canary", "5%"], &["--shadow"]] {
        refused(&app.deploy(how)?, &["back: its signature is by none"]);
    }
    sign(&app, "back.wasm", "ci")?;
    app.deploy(&["--blue-green"])?.good()?;
    app.command(&["rollout", "promote"])?.good()?;
    serves(&host.client(), "two")?;
    assert_eq!(last(&app)?, (2, json!({"front": "ci", "back": "ci"})));
    Ok(())
}

#[test]
fn an_app_from_its_file_is_held_to_the_same() -> anyhow::Result<()> {
    let app = app_of_files("one")?;
    let ci = key(&app, "ci")?;
    trust(&app, &[&ci])?;
    refused(&app.up_ends()?, &["front: it is not signed", "back: it is not signed"]);
    refused(&app.check()?, &["pair/front: it is not signed", "front.wasm"]);
    sign(&app, "front.wasm", "ci")?;
    sign(&app, "back.wasm", "ci")?;
    let checked = app.check()?.good()?;
    assert!(checked.stderr.contains("front: front.wasm, sha256:"), "{}", checked.stderr);
    assert!(checked.stderr.contains(", signed by ci"), "{}", checked.stderr);
    serves(&app.up()?.client(), "one")?;
    app.write("front.wasm.sig", "no signature")?;
    refused(&app.up_ends()?, &["front: its signature", "front.wasm.sig"]);
    Ok(())
}

#[test]
fn nobody_can_say_for_the_host_who_has_signed() -> anyhow::Result<()> {
    let app = app_of_files("one")?;
    let ci = key(&app, "ci")?;
    trust(&app, &[&ci])?;
    let host = app.host()?;
    let bytes = std::fs::read(app.folder().join("front.wasm"))?;
    let manifest = hull_tests::probe::application("solo") + &hull_tests::probe::component("front", "", "");
    let digits = |bytes: &[u8]| hull_tests::digest::of(bytes).replace("sha256:", "");
    let send = |more: &Value| -> anyhow::Result<String> {
        let mut component = json!({"bytes": bytes.len(), "sha256": digits(&bytes)});
        for (key, value) in more.as_object().into_iter().flatten() {
            component[key] = value.clone();
        }
        let head = json!({"format": 1, "components": {"front": component}, "manifest":
            {"path": "spin.toml", "bytes": manifest.len(), "sha256": digits(manifest.as_bytes())}});
        let body = [format!("{head}\n{manifest}").into_bytes(), bytes.clone()].concat();
        let answer = host.asked("POST", "/v1/apps/solo/revisions")?.body(body).send()?.expect(422)?;
        Ok(answer.text())
    };
    assert!(send(&json!({}))?.contains("front: it is not signed"));
    let zeros = format!("{}==", "A".repeat(86));
    assert!(send(&json!({"signature": zeros}))?.contains("front: its signature is by none"));
    assert!(send(&json!({"signed_by": "ci"}))?.contains("unknown field"));
    assert!(send(&json!({"signature": "x"}))?.contains("no Ed25519 signature"));
    assert!(send(&json!({"source": "a\nb"}))?.contains("source"));
    assert!(send(&json!({"source": "a".repeat(3000)}))?.contains("source"));
    host.client().get("/front/hello")?.expect(404)?;
    Ok(())
}

/// `openssl`, which others have as well.
fn openssl(app: &App, words: &[&str]) -> anyhow::Result<Ended> {
    let mut command = Command::new("openssl");
    command.args(words).current_dir(app.folder());
    run(command)
}

#[test]
fn other_programs_sign_and_check_the_same() -> anyhow::Result<()> {
    let app = app_of_files("one")?;
    openssl(&app, &["genpkey", "-algorithm", "ed25519", "-out", "theirs.pem"])?.good()?;
    let public = openssl(&app, &["pkey", "-in", "theirs.pem", "-pubout"])?.good()?.stdout;
    let line = public.lines().nth(1).unwrap_or_default();
    let ours = key(&app, "ours")?;
    trust(&app, &[&format!("theirs = \"{line}\""), &ours])?;
    let signing = ["pkeyutl", "-sign", "-rawin", "-inkey", "theirs.pem", "-in", "front.wasm", "-out", "front.raw"];
    openssl(&app, &signing)?.good()?;
    openssl(&app, &["base64", "-A", "-in", "front.raw", "-out", "front.wasm.sig"])?.good()?;
    sign(&app, "back.wasm", "ours")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    serves(&host.client(), "one")?;
    assert_eq!(last(&app)?.1, json!({"front": "theirs", "back": "ours"}));
    // And the other way round.
    openssl(&app, &["base64", "-d", "-A", "-in", "back.wasm.sig", "-out", "back.raw"])?.good()?;
    openssl(&app, &["pkey", "-in", "ours.pem", "-pubout", "-out", "ours.pub"])?.good()?;
    let checking = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "ours.pub", "-sigfile", "back.raw", "-in"];
    openssl(&app, &[&checking[..], &["back.wasm"]].concat())?.good()?;
    append(&app.folder().join("back.wasm"))?;
    assert_eq!(openssl(&app, &[&checking[..], &["back.wasm"]].concat())?.status, Some(1));
    Ok(())
}

#[test]
fn a_key_is_made_once_and_for_its_owner_alone() -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let app = app_of_files("one")?;
    key(&app, "ci")?;
    let path = app.folder().join("ci.pem");
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&path)?;
    refused(&app.tool(&["keygen", "ci.pem"])?, &["ci.pem is there already"]);
    assert_eq!(std::fs::read_to_string(&path)?, before);
    refused(&app.tool(&["sign", "ci.pem", "--key", "ci.pem"])?, &["not WebAssembly"]);
    refused(&app.tool(&["sign", "front.wasm", "--key", "spin.toml"])?, &["no private Ed25519 key"]);
    assert!(!app.folder().join("front.wasm.sig").exists());
    let json = app.tool(&["sign", "front.wasm", "--key", "ci.pem", "--json"])?.json()?;
    assert_eq!(json["signed"][0]["file"], "front.wasm.sig");
    Ok(())
}
