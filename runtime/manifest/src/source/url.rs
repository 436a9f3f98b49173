//! URLs that bytes may be fetched from: nobody on the way can change what comes.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::problem::Invalid;
use crate::read::TextSetting;

/// An `https` URL, or an `http` URL of this machine. It has no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct DownloadUrl(Url);

/// Whether a URL is one of this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl DownloadUrl {
    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for DownloadUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str, remedy: &str| Err(Invalid::new(what, remedy));
        let Some(url) = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        else {
            return wrong("it is no URL of a file", "write a URL such as \"https://example.com/orders.wasm\"");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("the URL has credentials in it", "leave them out");
        }
        if url.fragment().is_some() {
            return wrong("the URL has a fragment", "remove # and what follows");
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            return wrong("what comes over plain http could be changed on the way", "write https://");
        }
        Ok(Self(url))
    }
}

impl fmt::Display for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TextSetting for DownloadUrl {
    const WANTED: &'static str = "a URL such as \"https://example.com/orders.wasm\"";
}
