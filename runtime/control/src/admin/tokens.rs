//! Named tokens: who may do what. They are kept as their digests; the text of one is told once, to whoever made it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use hull_manifest::Name;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::AdminError;
use super::token::{Token, new_text};
use crate::durable;
use crate::revisions::Content;

/// Named tokens of one host.
const TOKENS_MAX: usize = 1000;
/// What the token of this machine is called.
const OWN: &str = "admin-token";

/// What somebody may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Read,
    /// Change what serves and what it works on.
    Deploy,
    /// Say who may do what.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "read" => Ok(Self::Read),
            "deploy" => Ok(Self::Deploy),
            "admin" => Ok(Self::Admin),
            _ => Err("a role is read, deploy or admin"),
        }
    }
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) role: Role,
    pub(super) made_at: String,
    pub(super) made_by: String,
    sha256: Content,
}

/// Every token that is taken.
pub struct Tokens {
    own: Token,
    path: PathBuf,
    named: Mutex<BTreeMap<String, Named>>,
}

impl Tokens {
    /// The machine's own token, made if it is not there, and those that were given to others.
    pub fn open(own_file: &Path, state_dir: &Path) -> Result<Self, AdminError> {
        let own = Token::in_file(own_file)?;
        let path = state_dir.join("tokens.json");
        let failed = |source| AdminError::Token { path: path.clone(), source };
        let named = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(error.into()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { own, path, named: Mutex::new(named) })
    }

    /// Whose token this is, and what they may do.
    pub(super) fn known(&self, presented: &str) -> Option<(Arc<str>, Role)> {
        if self.own.is(presented) {
            return Some((OWN.into(), Role::Admin));
        }
        // Digests are compared: how long that takes tells nothing of a token.
        let digest = Content::of(presented.as_bytes());
        let named = self.named.lock();
        let found = named.iter().find(|(_, token)| token.sha256 == digest);
        found.map(|(name, token)| (name.as_str().into(), token.role))
    }

    pub(super) fn list(&self) -> BTreeMap<String, Named> {
        self.named.lock().clone()
    }

    /// Make one; its text is told now and never again.
    pub(super) fn add(&self, name: Name, role: Role, by: &str) -> Result<String, String> {
        let text = new_text();
        let (made_at, made_by) = (hull_clock::rfc3339_now(), by.to_owned());
        let token = Named { role, made_at, made_by, sha256: Content::of(text.as_bytes()) };
        self.change(|named| {
            if named.len() >= TOKENS_MAX {
                return Err(format!("there are {TOKENS_MAX} tokens already; remove one"));
            }
            if name.as_str() == OWN || named.contains_key(name.as_str()) {
                return Err(format!("there is a token {name} already; remove it first"));
            }
            named.insert(name.to_string(), token);
            Ok(())
        })?;
        Ok(text)
    }

    /// It is taken no more.
    pub(super) fn remove(&self, name: &Name) -> Result<(), String> {
        self.change(|named| named.remove(name.as_str()).map(|_| ()).ok_or_else(|| format!("there is no token {name}")))
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Named>) -> Result<(), String>) -> Result<(), String> {
        let mut named = self.named.lock();
        let mut next = named.clone();
        change(&mut next)?;
        let text = serde_json::to_vec(&next).map_err(|error| error.to_string())?;
        durable::write(&self.path, &text).map_err(|error| format!("{}: {error}", self.path.display()))?;
        *named = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Role, Tokens};

    #[test]
    fn tokens_are_known_until_they_are_removed_and_kept_without_their_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Tokens::open(&folder.path().join("admin-token"), folder.path()).expect("tokens");
        let tokens = open();
        let name = || "ci".parse().expect("a name");
        let text = tokens.add(name(), Role::Deploy, "me").expect("made");
        assert!(tokens.add(name(), Role::Read, "me").is_err(), "a name is one token");
        drop(tokens);
        let tokens = open();
        assert_eq!(
            tokens.known(&text).map(|(name, role)| (name.to_string(), role)),
            Some(("ci".to_owned(), Role::Deploy))
        );
        assert!(tokens.known(&text[1..]).is_none() && tokens.known("").is_none());
        let kept = std::fs::read_to_string(folder.path().join("tokens.json")).expect("kept");
        assert!(!kept.contains(&text));
        tokens.remove(&name()).expect("removed");
        assert!(tokens.known(&text).is_none() && open().known(&text).is_none());
        assert!(Role::Read < Role::Deploy && Role::Deploy < Role::Admin);
    }
}
