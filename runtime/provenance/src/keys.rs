//! Whose components are taken: the keys that the host's configuration names, and whether one of them has signed what is to
//! be run.

use std::path::Path;

use hull_manifest::{Name, PublicKey, Signatures};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::signature::{Signature, UnreadableSignature};

/// The keys that a component must be signed with one of.
#[derive(Debug, Clone)]
pub struct TrustedKeys(Vec<(Name, PublicKey)>);

/// Why a component is not taken. Says what is wrong with its signature, which keys count, and what would mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// There is no signature.
    #[error(
        "it is not signed, and this host takes only what {keys} of [signatures.keys] in its hull.toml has signed; sign its \
         file with `hull sign FILE.wasm --key KEY.pem` and deploy it again"
    )]
    Unsigned {
        /// The names of the keys.
        keys: String,
    },
    /// The signature is of other bytes, or by another key.
    #[error(
        "its signature is by none of the keys of [signatures.keys] in the host's hull.toml ({keys}), or it is of other bytes: \
         the file was changed after it was signed. Sign it with `hull sign FILE.wasm --key KEY.pem` and deploy it again, or \
         have the signer's line added to [signatures.keys]"
    )]
    Wrong {
        /// The names of the keys.
        keys: String,
    },
    /// There is something in the signature's place, and nobody can tell what.
    #[error(transparent)]
    Unreadable(#[from] UnreadableSignature),
}

impl TrustedKeys {
    /// Those of the configuration; none where it asks for no signatures.
    pub fn of(signatures: Option<&Signatures>) -> Option<Self> {
        let keys = &signatures?.keys;
        Some(Self(keys.iter().map(|(name, key)| (name.clone(), *key)).collect()))
    }

    /// Whose signature of these bytes lies beside their file. Reads it, and takes as long as hashing the bytes once for each
    /// key: not for the serving threads.
    pub fn signer_beside(&self, file: &Path, bytes: &[u8]) -> Result<&Name, NotSigned> {
        self.signer(bytes, Signature::beside(file)?.as_ref())
    }

    fn signer(&self, bytes: &[u8], signature: Option<&Signature>) -> Result<&Name, NotSigned> {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let keys = names.join(", ");
        let Some(signature) = signature else { return Err(NotSigned::Unsigned { keys }) };
        let is_by = |key: &PublicKey| {
            UnparsedPublicKey::new(&ED25519, key.as_bytes()).verify(bytes, signature.as_bytes()).is_ok()
        };
        let signer = self.0.iter().find(|(_, key)| is_by(key));
        signer.map(|(name, _)| name).ok_or(NotSigned::Wrong { keys })
    }
}

#[cfg(test)]
mod tests {
    use hull_manifest::{Host, Name};

    use super::{NotSigned, TrustedKeys};
    use crate::signature::Signature;
    use crate::signing_key::SigningKey;

    fn trusted(keys: &[(&str, &SigningKey)]) -> TrustedKeys {
        let lines: Vec<String> = keys.iter().map(|(name, key)| format!("{name} = \"{}\"\n", key.public())).collect();
        let host = Host::parse(&format!("[signatures.keys]\n{}", lines.concat()), "hull.toml").expect("a host");
        TrustedKeys::of(host.signatures.as_ref()).expect("keys")
    }

    fn key() -> SigningKey {
        SigningKey::generate().expect("a key")
    }

    #[test]
    fn whoever_is_trusted_may_sign_and_nobody_else() {
        let (ci, release, stranger) = (key(), key(), key());
        let keys = trusted(&[("ci", &ci), ("release", &release)]);
        let bytes = b"\0asm and so on";
        let name = |text: &str| -> Name { text.parse().expect("a name") };
        assert_eq!(keys.signer(bytes, Some(&ci.sign(bytes))), Ok(&name("ci")));
        assert_eq!(keys.signer(bytes, Some(&release.sign(bytes))), Ok(&name("release")));
        let wrong = Err(NotSigned::Wrong { keys: "ci, release".to_owned() });
        assert_eq!(keys.signer(bytes, Some(&stranger.sign(bytes))), wrong);
        assert_eq!(keys.signer(b"other bytes", Some(&ci.sign(bytes))), wrong);
        assert_eq!(keys.signer(bytes, None), Err(NotSigned::Unsigned { keys: "ci, release".to_owned() }));
    }

    #[test]
    fn the_signature_that_counts_lies_beside_the_file() {
        let ci = key();
        let keys = trusted(&[("ci", &ci)]);
        let folder = tempfile::tempdir().expect("a folder");
        let (file, bytes) = (folder.path().join("orders.wasm"), b"a component");
        assert!(matches!(keys.signer_beside(&file, bytes), Err(NotSigned::Unsigned { .. })));
        let beside = Signature::path_of(&file);
        std::fs::write(&beside, ci.sign(bytes).to_string()).expect("written");
        assert_eq!(keys.signer_beside(&file, bytes).map(Name::as_str), Ok("ci"));
        assert!(matches!(keys.signer_beside(&file, b"other bytes"), Err(NotSigned::Wrong { .. })));
        std::fs::write(&beside, "no signature").expect("written");
        let told = keys.signer_beside(&file, bytes).map_err(|error| error.to_string());
        assert_eq!(told, Err(Signature::beside(&file).expect_err("no signature").to_string()));
    }

    #[test]
    fn every_flipped_bit_of_a_signature_is_found() {
        let ci = key();
        let keys = trusted(&[("ci", &ci)]);
        let bytes = b"a component";
        let good = ci.sign(bytes);
        for at in 0..64 * 8 {
            let mut flipped: [u8; 64] = good.as_bytes().try_into().expect("64 bytes");
            flipped[at / 8] ^= 1 << (at % 8);
            let flipped = Signature::new(flipped);
            assert!(keys.signer(bytes, Some(&flipped)).is_err(), "bit {at}");
        }
    }

    #[test]
    fn a_host_without_keys_asks_for_no_signatures() {
        assert!(TrustedKeys::of(Host::default().signatures.as_ref()).is_none());
    }
}
