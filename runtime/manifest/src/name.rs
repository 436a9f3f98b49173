//! Names of apps, components, bulkheads and the like. One grammar for all, narrow enough that a name is safe as a
//! path, a DNS label, a NATS token, a metric label and a database schema wherever it is used.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::problem::Invalid;
use crate::read::TextSetting;

/// The longest name, in bytes: a DNS label.
pub const NAME_BYTES_MAX: usize = 63;

/// A kebab-case name: `a` to `z`, digits and single dashes; every word starts with a letter, as in Spin.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// The `[storage.NAME]` that is there without being written.
    pub fn default_storage() -> Self {
        Self("default".into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_lowercase())
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if text.len() > NAME_BYTES_MAX {
            let remedy = format!("write {NAME_BYTES_MAX} characters at the most");
            return Err(Invalid::new(format!("\"{text}\" is too long for a name"), remedy));
        }
        if text.split('-').all(word) {
            return Ok(Self(text.into()));
        }
        let message = format!("\"{text}\" cannot be a name");
        Err(Invalid::new(message, "write lower-case words of letters and digits, joined by dashes, as in `web-bff`"))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&Name> for Arc<str> {
    fn from(name: &Name) -> Self {
        Self::clone(&name.0)
    }
}

impl TextSetting for Name {
    const WANTED: &'static str = "a name such as \"orders\"";
}

/// The name of a variable: lower-case words joined by single underscores, as in Spin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariableName(String);

impl VariableName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VariableName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let word = |word: &str| !word.is_empty() && word.bytes().all(lower);
        let fits = text.len() <= NAME_BYTES_MAX && text.starts_with(|first: char| first.is_ascii_lowercase());
        if fits && text.split('_').all(word) {
            return Ok(Self(text.to_owned()));
        }
        let message = format!("\"{text}\" cannot be the name of a variable");
        Err(Invalid::new(message, "write lower-case words joined by single underscores, as in `api_url`"))
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for VariableName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for VariableName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TextSetting for VariableName {
    const WANTED: &'static str = "a name such as \"api_url\"";
}

#[cfg(test)]
mod tests {
    use super::{Name, VariableName};

    #[test]
    fn names_are_safe_everywhere() {
        for good in ["a", "orders", "web-bff", "v2", "a1-b2", &"x".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        let long = "x".repeat(64);
        for bad in ["", "Orders", "web_bff", "-a", "a-", "a--b", "2a", "a-2", "a.b", "a/b", "..", "é", &long] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn variables_are_snake_case() {
        for good in ["a", "api_url", "a2_b", "token2"] {
            assert!(good.parse::<VariableName>().is_ok(), "{good}");
        }
        for bad in ["", "A", "api-url", "_a", "a_", "a__b", "2a", "a b"] {
            assert!(bad.parse::<VariableName>().is_err(), "{bad}");
        }
    }
}
