//! What bytes must be: their SHA-256.

use std::fmt;
use std::str::FromStr;

use crate::problem::Invalid;
use crate::read::TextSetting;

const PREFIX: &str = "sha256:";

/// `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// The digits alone.
    pub fn hex(&self) -> &str {
        self.0.get(PREFIX.len()..).unwrap_or_default()
    }

    /// With `sha256:` in front.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_digest = |digits: &str| digits.len() == 64 && digits.bytes().all(is_digit);
        if text.strip_prefix(PREFIX).is_some_and(is_digest) {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(100).collect();
        let remedy = "write sha256: and 64 small hexadecimal digits, as `sha256sum` prints them";
        Err(Invalid::new(format!("\"{shown}\" is no digest"), remedy))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TextSetting for Digest {
    const WANTED: &'static str = "the digest of the file, as in \"sha256:…\"";
}
