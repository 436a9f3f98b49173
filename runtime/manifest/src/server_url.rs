//! URLs of servers, by what may be spoken there.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::problem::Invalid;
use crate::read::TextSetting;

/// An `http` or `https` URL with a host, and without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(Url);

impl HttpUrl {
    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for HttpUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let url = parse(text, &["http", "https"], Self::WANTED)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid::new("the URL has credentials in it", "leave them out"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl TextSetting for HttpUrl {
    const WANTED: &'static str = "a URL such as \"http://127.0.0.1:8080\"";
}

/// A URL that may have a password in it, which only [`SecretUrl::expose`] shows.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    pub(crate) fn parse(text: &str, schemes: &[&str], wanted: &str) -> Result<Self, Invalid> {
        // A URL that cannot be parsed is not repeated: it may hold a password.
        let unreadable = |_| Invalid::new("the URL cannot be used", format!("write {wanted}"));
        parse(text, schemes, wanted).map(Self).map_err(unreadable)
    }

    /// The URL with its password, to connect to.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        if shown.password().is_some() && shown.set_password(Some("***")).is_err() {
            return f.write_str("***");
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse(text: &str, schemes: &[&str], wanted: &str) -> Result<Url, Invalid> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| schemes.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty()));
    url.ok_or_else(|| Invalid::new(format!("\"{text}\" cannot be used as a URL here"), format!("write {wanted}")))
}

#[cfg(test)]
mod tests {
    use super::{HttpUrl, SecretUrl};

    #[test]
    fn passwords_are_not_shown() {
        let url = SecretUrl::parse("postgres://hull:secret@db/hull", &["postgres"], "").expect("a URL");
        assert_eq!(url.to_string(), "postgres://hull:***@db/hull");
        assert!(url.expose().contains("secret"));
        assert!(!format!("{url:?}").contains("secret"));
        let refused = SecretUrl::parse("mysql://hull:secret@db", &["postgres"], "x").expect_err("another scheme");
        assert!(!refused.to_string().contains("secret"));
    }

    #[test]
    fn only_plain_http_urls() {
        for bad in ["", "example.com", "ftp://a", "http://", "http://user@a", "http://u:p@a"] {
            assert!(bad.parse::<HttpUrl>().is_err(), "{bad}");
        }
        let local = "http://127.0.0.1:8080";
        assert_eq!(local.parse::<HttpUrl>().map(|url| url.to_string()).as_deref(), Ok(local));
    }
}
