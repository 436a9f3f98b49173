//! The token of this machine's own commands: random, in a file that only the host's user can read.

use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use hull_invocation::RequestId;
use sha2::{Digest, Sha256};

use super::AdminError;

/// A token, kept as its digest.
pub(super) struct Token {
    digest: [u8; 32],
}

impl Token {
    /// The token in that file, made if the file is not there. A file that others can read is refused.
    pub(super) fn in_file(path: &Path) -> Result<Self, AdminError> {
        let failed = |source| AdminError::Token { path: path.to_owned(), source };
        let text = match std::fs::metadata(path) {
            Ok(metadata) => {
                if !metadata.is_file() {
                    return Err(failed(io::Error::other("it is not a regular file")));
                }
                let mode = metadata.permissions().mode();
                if mode & 0o077 != 0 {
                    let message = format!("others can read it (mode {:o}); make it 0600", mode & 0o777);
                    return Err(failed(io::Error::other(message)));
                }
                std::fs::read_to_string(path).map_err(failed)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        let token = text.trim();
        if token.len() < 16 {
            return Err(failed(io::Error::other("it has less than 16 characters; delete it to get a new one")));
        }
        Ok(Self { digest: Sha256::digest(token).into() })
    }

    /// Whether this is the token. Digests are compared, so the time it takes tells nothing of the token.
    pub(super) fn is(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        let difference = presented.iter().zip(&self.digest).fold(0, |sum, (one, other)| sum | (one ^ other));
        difference == 0
    }
}

/// What nobody can guess.
pub(super) fn new_text() -> String {
    let half = |bytes| RequestId::from_bytes(bytes).as_str().to_owned();
    half(hull_clock::random_bytes()) + &half(hull_clock::random_bytes())
}

fn make(path: &Path) -> io::Result<String> {
    let token = new_text();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::Token;

    #[test]
    fn a_token_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin-token");
        let first = Token::in_file(&path).expect("made");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(text.len(), 64);
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert!(first.is(&text));
        assert!(!first.is(&text[1..]));
        assert!(Token::in_file(&path).expect("read").is(&text));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        assert!(Token::in_file(&path).is_err());
    }
}
