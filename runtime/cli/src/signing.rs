//! `hull keygen` and `hull sign`: a key of one's own, and the signature of a component with it. `openssl` does the same;
//! this is for machines without it.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context as _, bail};
use hull_control::COMPONENT_BYTES_MAX;
use hull_manifest::Name;
use hull_provenance::{Signature, SigningKey};
use serde_json::json;

use crate::manifest_files::read_whole;
use crate::options::{KeygenOptions, SignOptions};
use crate::terminal;

/// A key in PEM has some 120 bytes; a file with more than this is none.
const KEY_BYTES_MAX: u64 = 16 << 10;

/// Make a key, and tell what a host is to know of it.
pub(crate) fn keygen(options: &KeygenOptions) -> anyhow::Result<()> {
    let KeygenOptions { file, json } = options;
    let pem = SigningKey::generate_pem()?;
    let key = SigningKey::from_pem(&pem)?;
    let opened = File::options().write(true).create_new(true).mode(0o600).open(file);
    let mut opened = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => anyhow::anyhow!("{} is there already, and was left as it is", file.display()),
        _ => anyhow::Error::new(error).context(format!("cannot write {}", file.display())),
    })?;
    opened.write_all(pem.as_bytes()).and_then(|()| opened.sync_all()).context("cannot write the key")?;
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = stem.parse::<Name>().map_or_else(|_| "my-key".to_owned(), |name| name.to_string());
    let public = key.public().to_string();
    if *json {
        return terminal::print_json(&json!({ "file": file, "name": name, "public_key": public }));
    }
    eprintln!(
        "the private key is in {}: keep it secret. A host that is to take what it signs has this in hull.toml:",
        file.display()
    );
    terminal::print(&format!("[signatures.keys]\n{name} = \"{public}\"\n"))
}

/// Sign a component; the signature goes beside it.
pub(crate) fn sign(options: &SignOptions) -> anyhow::Result<()> {
    let SignOptions { files, key, json } = options;
    let text =
        read_whole(key, KEY_BYTES_MAX, too_large).with_context(|| format!("cannot read the key {}", key.display()))?;
    let text = String::from_utf8_lossy(&text);
    let key = SigningKey::from_pem(&text).with_context(|| key.display().to_string())?;
    let mut signed = Vec::new();
    for file in files {
        let bytes = read_whole(file, COMPONENT_BYTES_MAX, too_large);
        let bytes = bytes.with_context(|| format!("cannot read {}", file.display()))?;
        if !bytes.starts_with(b"\0asm") {
            bail!("{} is not WebAssembly; nothing was signed", file.display());
        }
        let path = Signature::path_of(file);
        let signature = key.sign(&bytes);
        std::fs::write(&path, format!("{signature}\n")).with_context(|| format!("cannot write {}", path.display()))?;
        signed.push((path, signature));
    }
    if *json {
        let signed: Vec<_> =
            signed.iter().map(|(path, signature)| json!({ "file": path, "signature": signature })).collect();
        return terminal::print_json(&json!({ "signed": signed, "public_key": key.public().to_string() }));
    }
    signed.iter().try_for_each(|(path, _)| terminal::print(&format!("{}\n", path.display())))
}

fn too_large(bytes_max: u64) -> String {
    format!("it has more than {bytes_max} bytes")
}
