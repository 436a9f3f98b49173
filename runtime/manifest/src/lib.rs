//! Manifests: spin.toml and hull.toml, parsed into the types everything else uses.
