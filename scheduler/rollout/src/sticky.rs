//! What stays the same for one user, whatever connection they come by: who is chosen is chosen by it.

use hull_manifest::StickyBy;

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

/// What stays the same for whoever asks, if anything does. Who has no such header or cookie is known by their origin.
pub fn key_of<'a>(by: &StickyBy, who: &'a impl Asks) -> Option<&'a str> {
    let found = match by {
        StickyBy::Ip => None,
        StickyBy::Header(name) => who.header(name.as_str()),
        StickyBy::Cookie(name) => who.cookie(name),
    };
    found.or_else(|| who.origin())
}

/// The value of a cookie in the lines of a `cookie` header.
pub fn cookie_of<'a>(lines: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::cookie_of;

    #[test]
    fn cookies_are_found() {
        let lines = ["a=1; session=abc ;b=2", "late=x"];
        assert_eq!(cookie_of(lines.into_iter(), "session"), Some("abc"));
        assert_eq!(cookie_of(lines.into_iter(), "late"), Some("x"));
        assert_eq!(cookie_of(lines.into_iter(), "sess"), None);
    }
}
