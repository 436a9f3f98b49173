//! What this user has logged in to registries with, as `docker login`, `oras login` and others write it down. Programs that
//! keep credentials are not asked.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use hull_manifest::RegistryHost;
use serde_json::Value;

const FILE_BYTES_MAX: u64 = 1 << 20;

/// What to show a registry, if this user has logged in there.
pub(super) fn of(registry: &RegistryHost) -> Option<HeaderValue> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
    let mut text = String::new();
    File::open(folder.join("config.json")).ok()?.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    in_file(&text, &registry.to_string())
}

fn in_file(text: &str, registry: &str) -> Option<HeaderValue> {
    let file: Value = serde_json::from_str(text).ok()?;
    let auth = file.get("auths")?.get(registry)?.get("auth")?.as_str()?;
    // What is no user and password is not sent anywhere.
    STANDARD.decode(auth).ok().filter(|decoded| decoded.contains(&b':'))?;
    let mut value = HeaderValue::from_str(&format!("Basic {auth}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::in_file;

    #[test]
    fn credentials_are_of_that_registry_alone() {
        let file = r#"{"auths": {"ghcr.io": {"auth": "dXNlcjpzZWNyZXQ="}, "empty.example": {}, "odd.example": {"auth": "?"}}}"#;
        assert_eq!(in_file(file, "ghcr.io").expect("there").to_str().expect("a text"), "Basic dXNlcjpzZWNyZXQ=");
        for other in ["evil.ghcr.io", "ghcr.io.example", "empty.example", "odd.example", ""] {
            assert!(in_file(file, other).is_none(), "{other}");
        }
        assert!(in_file("no JSON", "ghcr.io").is_none());
    }
}
