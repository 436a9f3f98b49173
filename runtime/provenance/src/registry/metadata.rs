//! Where a registry of packages keeps them: `/.well-known/wasm-pkg/registry.json` may name another host and a prefix.
//! Without it the host is a registry itself.

use http::header::CONTENT_TYPE;
use hull_manifest::{PackageName, PackageVersion, RegistryHost};
use serde::Deserialize;

use crate::body::Coming;
use crate::failed::Why;
use crate::follow;
use crate::reference::{OciReference, is_repository};
use crate::transport::Transport;

const PATH: &str = "/.well-known/wasm-pkg/registry.json";
const BYTES_MAX: u64 = 64 << 10;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    oci: Option<Oci>,
    /// The older form.
    oci_registry: Option<String>,
    oci_namespace_prefix: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Oci {
    registry: Option<String>,
    namespace_prefix: Option<String>,
}

/// The place of a package.
pub(crate) async fn resolve(
    transport: &Transport,
    registry: &RegistryHost,
    package: &PackageName,
    version: &PackageVersion,
) -> Result<OciReference, Why> {
    let mut url = registry.base().clone();
    url.set_path(PATH);
    let answer = follow::get(transport, &url, None, None).await?.answer;
    let status = answer.status();
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Some sites answer everything with a page for people.
    let is_json = kind.split(';').next().is_some_and(|kind| kind.trim().ends_with("json"));
    let text = match status {
        _ if status.is_client_error() => Vec::new(),
        _ if !status.is_success() => return Err(Why::Status { what: url.to_string(), status, hint: "" }),
        _ if !is_json => Vec::new(),
        _ => Coming::of(answer, url.as_str(), BYTES_MAX)?.whole().await?,
    };
    place(registry, &text, package, version).map_err(|why| Why::Registry(format!("{url} {why}")))
}

fn place(
    asked: &RegistryHost,
    text: &[u8],
    package: &PackageName,
    version: &PackageVersion,
) -> Result<OciReference, String> {
    let written: Written = if text.is_empty() {
        Written::default()
    } else {
        serde_json::from_slice(text).map_err(|error| format!("cannot be read: {error}"))?
    };
    let oci = written.oci.unwrap_or_default();
    let registry = match oci.registry.or(written.oci_registry) {
        None => asked.clone(),
        Some(named) => named.parse::<RegistryHost>().map_err(|invalid| invalid.message)?,
    };
    if registry.is_loopback() && !asked.is_loopback() {
        return Err(format!("leads to {registry}, which is on this machine"));
    }
    let prefix = oci.namespace_prefix.or(written.oci_namespace_prefix).unwrap_or_default();
    let repository = format!("{prefix}{}/{}", package.namespace(), package.name());
    if !is_repository(&repository) {
        return Err(format!("has the prefix {prefix:?}, which makes no repository"));
    }
    Ok(OciReference { registry, repository, tag: Some(version.tag()), digest: None })
}

#[cfg(test)]
mod tests {
    use super::place;

    fn placed(registry: &str, metadata: &str) -> Result<String, String> {
        let (registry, package, version) = (registry.parse(), "acme:orders".parse(), "1.2.0".parse());
        let placed = place(
            &registry.expect("a registry"),
            metadata.as_bytes(),
            &package.expect("a package"),
            &version.expect("a version"),
        );
        placed.map(|reference| reference.to_string())
    }

    #[test]
    fn packages_are_where_the_registry_says() {
        assert_eq!(placed("ghcr.io", "").as_deref(), Ok("oci://ghcr.io/acme/orders:1.2.0"));
        assert_eq!(placed("ghcr.io", "{}").as_deref(), Ok("oci://ghcr.io/acme/orders:1.2.0"));
        let new = r#"{"oci": {"registry": "ghcr.io", "namespacePrefix": "acme/wasm/"}, "preferredProtocol": "oci"}"#;
        assert_eq!(placed("acme.example", new).as_deref(), Ok("oci://ghcr.io/acme/wasm/acme/orders:1.2.0"));
        let old = r#"{"ociRegistry": "ghcr.io", "ociNamespacePrefix": "spinframework/wasm-pkg/"}"#;
        assert_eq!(
            placed("acme.example", old).as_deref(),
            Ok("oci://ghcr.io/spinframework/wasm-pkg/acme/orders:1.2.0")
        );
    }

    #[test]
    fn nothing_leads_into_this_machine_or_out_of_a_repository() {
        for wrong in [
            r#"{"oci": {"registry": "127.0.0.1:5000"}}"#,
            r#"{"oci": {"registry": "localhost"}}"#,
            r#"{"oci": {"registry": "ghcr.io/x"}}"#,
            r#"{"oci": {"namespacePrefix": "../"}}"#,
            r#"{"oci": {"namespacePrefix": "x?y="}}"#,
            r#"{"oci": 7}"#,
            "<html>",
        ] {
            assert!(placed("acme.example", wrong).is_err(), "{wrong}");
        }
    }
}
