//! The name of a content: the SHA-256 of its bytes, as 64 digits.

use std::fmt;

use hull_invocation::VersionId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of some bytes, in small hexadecimal digits: a name that is safe as a file's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Content(String);

/// What is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 digits from 0 to 9 and a to f")]
pub struct NoDigest;

impl Content {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_hash(Sha256::new_with_prefix(bytes))
    }

    /// Of everything that was hashed.
    pub fn of_hash(hash: Sha256) -> Self {
        let bytes: [u8; 32] = hash.finalize().into();
        Self(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| hex(u32::from(digit))).collect())
    }

    /// Of a component: what the engine knows it by.
    pub fn version(&self) -> VersionId {
        let digits = self.0.as_bytes().chunks_exact(2);
        let mut digest = [0; 32];
        for (byte, digits) in digest.iter_mut().zip(digits) {
            let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0) as u8;
            *byte = digits.iter().fold(0, |byte, digit| byte << 4 | value(digit));
        }
        VersionId::from_digest(digest)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn hex(digit: u32) -> char {
    char::from_digit(digit, 16).unwrap_or('0')
}

impl TryFrom<String> for Content {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        let is_digest = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_digest { Ok(Self(text)) } else { Err(NoDigest) }
    }
}

impl From<Content> for String {
    fn from(content: Content) -> Self {
        content.0
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Content;

    #[test]
    fn a_digest_is_one_and_nothing_else_is() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Content::of(b"").as_str(), empty);
        assert_eq!(Content::of(b"").version().to_string(), empty);
        assert!(Content::try_from(empty.to_owned()).is_ok());
        for wrong in ["", "../../../../etc/passwd", &empty.to_uppercase(), &empty[1..]] {
            assert!(Content::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
