//! What a component imports and exports, read from its bytes before anything is compiled: it decides which engine
//! runs it, and refuses what could never run.

use hull_invocation::ComponentId;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::config::Flavor;
use crate::error::DeployError;

/// Which HTTP handler a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpHandler {
    /// `wasi:http/incoming-handler@0.2`.
    V02,
    /// `wasi:http/handler@0.3`.
    V03,
}

/// What a component brings and needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exports {
    /// Its HTTP handler.
    pub http: Option<HttpHandler>,
    /// Whether it handles events.
    pub events: bool,
    /// Every name it exports.
    pub names: Vec<String>,
    /// Every name it imports.
    pub imports: Vec<String>,
    /// The engine it needs.
    pub flavor: Flavor,
}

/// Read the outermost imports and exports. Does not validate anything else.
pub fn inspect(component: &ComponentId, bytes: &[u8]) -> Result<Exports, DeployError> {
    let not_wasm = |message: String| DeployError::NotWasm { component: component.clone(), message };
    let mut names = Vec::new();
    let mut imports = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| not_wasm(error.to_string()))? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(DeployError::CoreModule { component: component.clone() });
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| not_wasm(error.to_string()))?;
                    imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|error| not_wasm(error.to_string()))?;
                    names.push(export.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(classify(names, imports))
}

/// Whether the compiler could take it: every section and every function is read, and nothing is compiled.
pub fn validate(component: &ComponentId, bytes: &[u8]) -> Result<(), DeployError> {
    // What the engines do not run is refused; what else they know is theirs to judge.
    let refused = WasmFeatures::THREADS | WasmFeatures::SHARED_EVERYTHING_THREADS | WasmFeatures::MEMORY64;
    let mut validator = Validator::new_with_features(WasmFeatures::all() - refused);
    let not_wasm = |message: String| DeployError::NotWasm { component: component.clone(), message };
    validator.validate_all(bytes).map(drop).map_err(|error| not_wasm(error.to_string()))
}

fn classify(names: Vec<String>, imports: Vec<String>) -> Exports {
    let exports = |interface: &str, minor: u64| names.iter().any(|name| is_version(name, interface, minor));
    let http = if exports("wasi:http/handler", 3) {
        Some(HttpHandler::V03)
    } else if exports("wasi:http/incoming-handler", 2) {
        Some(HttpHandler::V02)
    } else {
        None
    };
    let is_v03 = |name: &String| {
        let interface = name.split('@').next().unwrap_or_default();
        interface.starts_with("wasi:") && is_version(name, interface, 3)
    };
    let needs_concurrency = names.iter().chain(&imports).any(is_v03);
    let flavor = if needs_concurrency { Flavor::Concurrent } else { Flavor::Sequential };
    Exports { http, events: exports("hull:messaging/handler", 1), flavor, names, imports }
}

/// Whether a name is that interface at 0.`minor`: patches are compatible, minors below 1.0 are not.
fn is_version(name: &str, interface: &str, minor: u64) -> bool {
    let Some((found, version)) = name.split_once('@') else { return false };
    let version = semver::Version::parse(version);
    found == interface && version.is_ok_and(|version| (version.major, version.minor) == (0, minor))
}

#[cfg(test)]
mod tests {
    use hull_invocation::ComponentId;

    use super::{Exports, HttpHandler, classify, inspect, validate};
    use crate::config::Flavor;
    use crate::error::DeployError;

    fn seen(exports: &[&str], imports: &[&str]) -> Exports {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        classify(owned(exports), owned(imports))
    }

    #[test]
    fn handlers_are_recognised_across_patch_versions() {
        assert_eq!(seen(&["wasi:http/incoming-handler@0.2.4"], &[]).http, Some(HttpHandler::V02));
        assert_eq!(seen(&["wasi:http/handler@0.3.0"], &[]).http, Some(HttpHandler::V03));
        assert!(seen(&["hull:messaging/handler@0.1.0"], &[]).events);
        for other in ["run", "wasi:http/handler@0.30.0", "wasi:http/handler@3.0.0", "wasi:http/handler"] {
            assert_eq!(seen(&[other], &[]).http, None, "{other}");
        }
    }

    #[test]
    fn only_what_needs_concurrency_pays_for_it() {
        assert_eq!(seen(&["wasi:http/incoming-handler@0.2.0"], &["wasi:io/poll@0.2.0"]).flavor, Flavor::Sequential);
        assert_eq!(seen(&[], &["wasi:clocks/monotonic-clock@0.3.0"]).flavor, Flavor::Concurrent);
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        let id = ComponentId::new("app", "x");
        let module = b"\0asm\x01\0\0\0";
        assert!(matches!(inspect(&id, module), Err(DeployError::CoreModule { .. })));
        assert!(matches!(inspect(&id, b"#!/bin/sh"), Err(DeployError::NotWasm { .. })));
        assert!(matches!(inspect(&id, b""), Err(DeployError::NotWasm { .. })));
        assert!(inspect(&id, b"\0asm\x0d\0\x01\0").is_ok());
    }

    #[test]
    fn what_would_not_compile_is_told() {
        let id = ComponentId::new("app", "x");
        // A component around a module with one function, whose body is these bytes.
        let around = |body: &[u8]| {
            let length = body.len() as u8;
            let code = [[10, length + 3, 1, length + 1, 0].as_slice(), body].concat();
            let module = [b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0".as_slice(), &code].concat();
            [b"\0asm\x0d\0\x01\0\x01".as_slice(), &[module.len() as u8], module.as_slice()].concat()
        };
        assert!(validate(&id, &around(&[0x01, 0x0b])).is_ok());
        for body in [[0xf0, 0x0b], [0x1a, 0x0b]] {
            let bytes = around(&body);
            assert!(inspect(&id, &bytes).is_ok());
            assert!(matches!(validate(&id, &bytes), Err(DeployError::NotWasm { .. })), "{body:?}");
        }
    }
}
