//! `[signatures]`: whose components this host takes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::effective::{Entry, Shown};
use crate::name::Name;
use crate::problem::Invalid;
use crate::read::{Item, Setting, TextSetting};

/// Each component would be compared with all of them.
const KEYS_MAX: usize = 64;

/// Whose components are taken; nobody else's are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatures {
    /// At least one.
    pub keys: BTreeMap<Name, PublicKey>,
}

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// What stands before the key in a `SubjectPublicKeyInfo` (RFC 8410).
const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl PublicKey {
    /// Of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key alone.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let decoded = STANDARD.decode(text).ok();
        let key = decoded.as_deref().and_then(|bytes| bytes.strip_prefix(&HEAD));
        let key: Option<[u8; 32]> = key.and_then(|key| key.try_into().ok());
        key.map(Self).ok_or_else(|| {
            let remedy = "write the line that `hull keygen` prints, which is what `openssl pkey -pubout` prints between BEGIN \
                          and END";
            Invalid::new("it is no Ed25519 public key", remedy)
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode([HEAD.as_slice(), &self.0].concat()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TextSetting for PublicKey {
    const WANTED: &'static str = "a public key such as \"MCowBQYDK2VwAyEA…\", which `hull keygen` prints";
}

impl Setting for Signatures {
    const WANTED: &'static str = "{ keys = { NAME = \"MCowBQYDK2VwAyEA…\" } }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let item = table.required_item("keys", Self::WANTED);
        table.finish();
        let item = item?;
        let written = item.value.as_table().map(toml::de::DeTable::len);
        let keys: BTreeMap<Name, PublicKey> = Setting::read(&item)?;
        match written {
            Some(0) => item.wrong("there is no key, and nothing could be deployed", "add one, or remove [signatures]"),
            Some(more) if more > KEYS_MAX => {
                item.wrong(format!("there are {more} keys"), format!("write {KEYS_MAX} at the most"));
            }
            _ => {}
        }
        Some(Self { keys })
    }

    fn show(&self) -> Shown {
        Shown::Section(vec![Entry::new("keys", self.keys.show())])
    }
}
