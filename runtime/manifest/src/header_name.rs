//! The name of an HTTP header.

use std::fmt;
use std::str::FromStr;

use crate::problem::Invalid;
use crate::read::TextSetting;

/// A header's name, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(String);

impl HeaderName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HeaderName {
    type Err = Invalid;

    /// A token of RFC 9110, section 5.6.2.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !text.is_empty() && text.bytes().all(token) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(Invalid::new(format!("\"{text}\" is not the name of a header"), "write letters, digits and dashes"))
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TextSetting for HeaderName {
    const WANTED: &'static str = "the name of a header";
}
