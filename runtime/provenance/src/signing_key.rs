//! A private key, as `openssl genpkey -algorithm ed25519` writes it: PKCS#8 (RFC 8410) in PEM. What Hull makes, others can
//! use, and the other way round.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hull_manifest::PublicKey;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::signature::Signature;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// What stands before the 32 bytes of the key: a sequence of version 0, the algorithm 1.3.101.112 and an octet string.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key that components are signed with.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file holds something else.
    #[error(
        "it is no private Ed25519 key in PEM, without a password; `hull keygen` makes one, and so does `openssl genpkey \
         -algorithm ed25519`"
    )]
    NoKey,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandom,
}

impl SigningKey {
    /// A new one.
    pub fn generate() -> Result<Self, KeyError> {
        Self::generate_pem().and_then(|pem| Self::from_pem(&pem))
    }

    /// The text of a new one, which must stay secret.
    pub fn generate_pem() -> Result<String, KeyError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::NoRandom)?;
        let key = [PKCS8_HEAD.as_slice(), &seed].concat();
        Ok(format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(key)))
    }

    /// Read one.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (_, rest) = text.split_once(BEGIN).ok_or(KeyError::NoKey)?;
        let (inner, _) = rest.split_once(END).ok_or(KeyError::NoKey)?;
        let inner: String = inner.split_ascii_whitespace().collect();
        let key = STANDARD.decode(inner).map_err(|_| KeyError::NoKey)?;
        // The first version of the format has no public key beside the private one that could be compared.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).map_err(|_| KeyError::NoKey)?;
        Ok(Self { pair })
    }

    /// What others check its signatures with.
    pub fn public(&self) -> PublicKey {
        let mut public = [0; 32];
        // Of that length by what Ed25519 is.
        public.iter_mut().zip(self.pair.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        PublicKey::new(public)
    }

    /// Sign a component's bytes.
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        let mut signature = [0; 64];
        signature.iter_mut().zip(self.pair.sign(bytes).as_ref()).for_each(|(to, from)| *to = *from);
        Signature::new(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, SigningKey};

    /// The first test of RFC 8032, 7.1, as `openssl` writes such a key.
    const KNOWN: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_known_key_signs_as_the_standard_says() {
        let key = SigningKey::from_pem(KNOWN).expect("a key");
        assert_eq!(key.public().to_string(), "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        let expected = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==";
        assert_eq!(key.sign(b"").to_string(), expected);
    }

    #[test]
    fn what_is_made_can_be_read_and_is_another_each_time() {
        let pem = SigningKey::generate_pem().expect("a key");
        let (one, again) = (SigningKey::from_pem(&pem).expect("a key"), SigningKey::from_pem(&pem).expect("a key"));
        assert_eq!(one.sign(b"x"), again.sign(b"x"));
        assert_ne!(one.public(), SigningKey::generate().expect("a key").public());
        // With other texts around it, and other line breaks.
        let wrapped = format!("a comment\r\n{}", pem.replace('\n', "\r\n"));
        assert_eq!(SigningKey::from_pem(&wrapped).expect("a key").public(), one.public());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
        let short = KNOWN.replace("MC4CAQAw", "");
        let begun = KNOWN.replace("-----END PRIVATE KEY-----", "");
        for wrong in ["", "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v", public, &short, &begun] {
            assert_eq!(SigningKey::from_pem(wrong).err(), Some(KeyError::NoKey), "{wrong}");
        }
    }
}
