//! A signature of a component: Ed25519 (RFC 8032) of the bytes of its file, in base64, in a file beside it. Any tool that
//! knows Ed25519 can make one and check one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What the file with a signature has behind the name of what is signed.
pub const SIGNATURE_EXTENSION: &str = "sig";
/// Base64 of a signature has 88 characters; a file with more than this is none.
const FILE_BYTES_MAX: u64 = 1024;
const SIGNATURE_BYTES: usize = 64;

/// The signature of a component.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signature([u8; SIGNATURE_BYTES]);

/// What is no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no Ed25519 signature in base64, which has 88 characters")]
pub struct NoSignature;

/// Why the signature beside a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its signature {path}: {why}; sign it anew with `hull sign`, or remove that file")]
pub struct UnreadableSignature {
    path: String,
    why: String,
}

impl Signature {
    pub(crate) fn new(bytes: [u8; SIGNATURE_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Where the signature of a file is.
    pub fn path_of(file: &Path) -> PathBuf {
        file.with_added_extension(SIGNATURE_EXTENSION)
    }

    /// The signature beside a file; none if nothing is there.
    pub fn beside(file: &Path) -> Result<Option<Self>, UnreadableSignature> {
        let path = Self::path_of(file);
        let failed = |why: String| UnreadableSignature { path: path.display().to_string(), why };
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
            // Opening a pipe would wait for somebody who writes to it.
            Ok(metadata) if !metadata.is_file() => return Err(failed("it is not a regular file".to_owned())),
            Ok(_) => {}
        }
        let mut text = String::new();
        let read = File::open(&path).and_then(|opened| opened.take(FILE_BYTES_MAX).read_to_string(&mut text));
        read.map_err(|error| failed(error.to_string()))?;
        text.parse().map(Some).map_err(|error: NoSignature| failed(error.to_string()))
    }
}

impl FromStr for Signature {
    type Err = NoSignature;

    /// Line breaks around it are left out: tools put one at the end.
    fn from_str(text: &str) -> Result<Self, NoSignature> {
        let bytes = STANDARD.decode(text.trim_ascii()).map_err(|_| NoSignature)?;
        bytes.try_into().map(Self).map_err(|_| NoSignature)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Signature {
    type Error = NoSignature;

    fn try_from(text: String) -> Result<Self, NoSignature> {
        text.parse()
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Signature;

    #[test]
    fn only_what_has_64_bytes_is_a_signature() {
        let good = Signature::new([7; 64]);
        assert_eq!(format!("  {good}\n").parse(), Ok(good));
        assert_eq!(good.to_string().len(), 88);
        let long = "A".repeat(92);
        let whole = good.to_string();
        for wrong in
            ["", "AAAA", &long, &whole[1..], &format!("{whole}A"), &whole.replace('=', ""), "not base64 at all"]
        {
            assert!(wrong.parse::<Signature>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_signature_lies_beside_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("orders.wasm");
        assert!(matches!(Signature::beside(&file), Ok(None)));
        let path = Signature::path_of(&file);
        assert!(path.ends_with("orders.wasm.sig"));
        let good = Signature::new([9; 64]);
        std::fs::write(&path, format!("{good}\n")).expect("written");
        assert_eq!(Signature::beside(&file).expect("read"), Some(good));
        for wrong in ["", "no signature", &"x".repeat(5000)] {
            std::fs::write(&path, wrong).expect("written");
            let error = Signature::beside(&file).expect_err(wrong).to_string();
            assert!(error.contains("orders.wasm.sig") && error.contains("`hull sign`"), "{error}");
        }
        std::fs::write(&path, [0xff; 88]).expect("written");
        assert!(Signature::beside(&file).is_err(), "it is no text");
        std::fs::remove_file(&path).and_then(|()| std::fs::create_dir(&path)).expect("a folder in its place");
        assert!(Signature::beside(&file).is_err());
    }
}
