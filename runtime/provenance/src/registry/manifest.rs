//! The manifest of an artifact: which of its layers is the component, and whether it is signed. Pure.

use std::collections::BTreeMap;

use hull_manifest::Digest;
use serde::Deserialize;

use crate::signature::Signature;

/// What manifests are asked for as, and may come as.
pub(super) const MEDIA_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
/// What a layer with a component is called: the one of the tools around `wasm-pkg`, and an older one.
const COMPONENT_TYPES: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];
/// The annotation with a component's signature, of its layer or of the manifest.
pub(super) const SIGNATURE_ANNOTATION: &str = "hull.signature.ed25519";

/// The component of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InManifest {
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
    pub(crate) signature: Option<Signature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    schema_version: u32,
    media_type: Option<String>,
    #[serde(default)]
    layers: Vec<Layer>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl InManifest {
    /// The one component of a manifest, or why there is none.
    pub(super) fn read(text: &[u8], bytes_max: u64) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if written.schema_version != 2 {
            return Err(format!("its version is {}, and not 2", written.schema_version));
        }
        if let Some(kind) = written.media_type.filter(|kind| !MEDIA_TYPES.contains(&kind.as_str())) {
            return Err(format!("it is {kind:?}; name the manifest of one artifact, by its digest"));
        }
        let is_component = |layer: &&Layer| COMPONENT_TYPES.contains(&layer.media_type.as_str());
        let mut components = written.layers.iter().filter(is_component);
        let layer = match (components.next(), components.next()) {
            (Some(layer), None) => layer,
            (None, _) => {
                let kinds: Vec<&str> = written.layers.iter().map(|layer| layer.media_type.as_str()).take(5).collect();
                return Err(format!("it has no layer of type {}, but {kinds:?}", COMPONENT_TYPES[0]));
            }
            (Some(_), Some(_)) => return Err(format!("it has several layers of type {}", COMPONENT_TYPES[0])),
        };
        let digest: Digest = layer.digest.parse().map_err(|_| format!("{:?} is no SHA-256", layer.digest))?;
        if layer.size > bytes_max {
            return Err(format!("its component has {} bytes, and {} MiB is the most", layer.size, bytes_max >> 20));
        }
        let signature = layer.annotations.get(SIGNATURE_ANNOTATION).or(written.annotations.get(SIGNATURE_ANNOTATION));
        let signature = signature.map(|text| text.parse::<Signature>()).transpose();
        let signature = signature.map_err(|error| format!("its annotation {SIGNATURE_ANNOTATION}: {error}"))?;
        Ok(Self { digest, bytes: layer.size, signature })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{InManifest, SIGNATURE_ANNOTATION};

    const BYTES_MAX: u64 = 1000;

    fn layer(kind: &str, size: u64) -> Value {
        json!({ "mediaType": kind, "digest": format!("sha256:{}", "0".repeat(64)), "size": size })
    }

    fn manifest(layers: &[Value]) -> Value {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        json!({ "schemaVersion": 2, "mediaType": kind, "config": {}, "layers": layers })
    }

    fn read(manifest: &Value) -> Result<InManifest, String> {
        InManifest::read(manifest.to_string().as_bytes(), BYTES_MAX)
    }

    #[test]
    fn the_layer_with_the_component_is_found() {
        let readme = layer("text/markdown", 9_000_000);
        let found = read(&manifest(&[readme, layer("application/wasm", 1000)])).expect("a component");
        assert_eq!((found.bytes, found.signature), (1000, None));
        assert!(read(&manifest(&[layer("application/vnd.wasm.content.layer.v1+wasm", 1)])).is_ok());
    }

    #[test]
    fn the_layers_own_signature_goes_before_that_of_the_manifest() {
        let signature = |letter: &str| format!("{}A==", letter.repeat(85));
        let mut whole = manifest(&[layer("application/wasm", 1)]);
        whole["annotations"] = json!({ SIGNATURE_ANNOTATION: signature("A") });
        assert_eq!(read(&whole).expect("read").signature, signature("A").parse().ok());
        whole["layers"][0]["annotations"] = json!({ SIGNATURE_ANNOTATION: signature("B") });
        assert_eq!(read(&whole).expect("read").signature, signature("B").parse().ok());
        whole["layers"][0]["annotations"] = json!({ SIGNATURE_ANNOTATION: "none" });
        assert!(read(&whole).is_err());
    }

    #[test]
    fn what_is_not_one_component_is_refused() {
        let component = || layer("application/wasm", 1);
        let mut wrong = vec![
            manifest(&[]),
            manifest(&[layer("application/vnd.oci.image.layer.v1.tar+gzip", 1)]),
            manifest(&[component(), component()]),
            manifest(&[layer("application/wasm", BYTES_MAX + 1)]),
            json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [] }),
            json!({ "schemaVersion": 1, "layers": [component()] }),
            json!([]),
            json!("<html>"),
        ];
        for digest in ["", "sha256:00", "md5:00", "sha512:00", "../../blobs/uploads", "sha256:../../x"] {
            let mut one = manifest(&[component()]);
            one["layers"][0]["digest"] = json!(digest);
            wrong.push(one);
        }
        for wrong in wrong {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
        assert!(InManifest::read(b"<html>", BYTES_MAX).is_err());
    }
}
