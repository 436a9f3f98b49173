//! What stays the same for one user, whatever connection they come by: who is chosen is chosen by it.

use std::fmt;
use std::str::FromStr;

/// Whoever asks, as far as it matters who that is.
pub trait Asks {
    /// The value of a header; `name` is in lower case.
    fn header(&self, name: &str) -> Option<&str>;
    /// The value of a cookie.
    fn cookie(&self, name: &str) -> Option<&str>;
    /// What is left to tell one from another: the address of a client, the business process of an event. Nothing where
    /// nobody knows who asks.
    fn origin(&self) -> Option<&str>;
}

/// Which part of who asks it is. Where somebody has none, it is their origin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StickyBy {
    /// The client's address.
    #[default]
    Ip,
    /// A header, by its name in lower case.
    Header(String),
    /// A cookie, by its name.
    Cookie(String),
}

impl StickyBy {
    /// What stays the same for whoever asks, if anything does.
    pub fn key_of<'a>(&self, who: &'a impl Asks) -> Option<&'a str> {
        let found = match self {
            Self::Ip => None,
            Self::Header(name) => who.header(name),
            Self::Cookie(name) => who.cookie(name),
        };
        found.or_else(|| who.origin())
    }
}

/// Characters of a header's or a cookie's name (RFC 9110, token).
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl FromStr for StickyBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "ip" => Ok(Self::Ip),
            Some(("header", name)) if is_name(name) => Ok(Self::Header(name.to_ascii_lowercase())),
            Some(("cookie", name)) if is_name(name) => Ok(Self::Cookie(name.to_owned())),
            _ => Err("it is ip, header:NAME or cookie:NAME".to_owned()),
        }
    }
}

impl fmt::Display for StickyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// The value of a cookie in the lines of a `cookie` header.
pub fn cookie_of<'a>(lines: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::{StickyBy, cookie_of};

    #[test]
    fn words_are_read_and_written() {
        for text in ["ip", "header:x-user", "cookie:session"] {
            assert_eq!(text.parse::<StickyBy>().map(|by| by.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("header:X-User".parse(), Ok(StickyBy::Header("x-user".to_owned())));
        for wrong in ["", "user", "header:", "header:a b", "cookie:", "cookie:a=b", "ip:x"] {
            assert!(wrong.parse::<StickyBy>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn cookies_are_found() {
        let lines = ["a=1; session=abc ;b=2", "late=x"];
        assert_eq!(cookie_of(lines.into_iter(), "session"), Some("abc"));
        assert_eq!(cookie_of(lines.into_iter(), "late"), Some("x"));
        assert_eq!(cookie_of(lines.into_iter(), "sess"), None);
    }
}
