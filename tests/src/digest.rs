//! Digests as manifests and registries write them.

use sha2::{Digest as _, Sha256};

/// `sha256:` and the digits.
#[must_use]
pub fn of(bytes: &[u8]) -> String {
    let digits = |byte: u8| [byte >> 4, byte & 15];
    let hash = Sha256::digest(bytes);
    let hex = hash.iter().flat_map(|byte| digits(*byte)).filter_map(|digit| char::from_digit(u32::from(digit), 16));
    format!("sha256:{}", hex.collect::<String>())
}
