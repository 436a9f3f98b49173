//! Who is sent to the canary, or to the component of a split route: always the same users, whatever connection and component they come by.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::COOKIE;
use http::{HeaderMap, HeaderName};
use hull_gateway::Chooses;
use hull_manifest::StickyBy;
use hull_rollout::{Share, Split, cookie_of};

/// A header by which somebody chooses, whatever the share: its name, and its two words.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    header: HeaderName,
    taken: &'static [u8],
    left: &'static [u8],
}

/// To the canary or not.
#[allow(
    clippy::declare_interior_mutable_const,
    reason = "a header's name that is known when this is compiled has none"
)]
pub(super) const PREVIEW: Word =
    Word { header: HeaderName::from_static("x-hull-preview"), taken: b"canary", left: b"stable" };

/// To the component of a split route, or to its upstream.
#[allow(
    clippy::declare_interior_mutable_const,
    reason = "a header's name that is known when this is compiled has none"
)]
pub(crate) const SPLIT: Word =
    Word { header: HeaderName::from_static("x-hull-split"), taken: b"component", left: b"upstream" };

/// What stays the same for one user, as requests have it.
#[derive(Debug)]
enum Key {
    Ip,
    Header(HeaderName),
    Cookie(String),
}

pub(crate) struct Chooser {
    key: Key,
    seed: u64,
    share: AtomicU32,
    word: Word,
}

impl Chooser {
    pub(crate) fn new(by: &StickyBy, seed: u64, share: Share, word: Word) -> Self {
        let key = match by {
            StickyBy::Ip => Key::Ip,
            // The manifest knows the same names.
            StickyBy::Header(name) => name.as_str().parse().map_or(Key::Ip, Key::Header),
            StickyBy::Cookie(name) => Key::Cookie(name.clone()),
        };
        Self { key, seed, share: AtomicU32::new(share.hundredths()), word }
    }

    /// The seed of a split that has a name.
    pub(crate) fn seed_of(name: &str) -> u64 {
        Split::seed_of(name)
    }

    pub(super) fn set(&self, share: Share) {
        self.share.store(share.hundredths(), Ordering::Relaxed);
    }

    pub(super) fn share(&self) -> Share {
        Share::from_hundredths(self.share.load(Ordering::Relaxed)).unwrap_or(Share::NONE)
    }
}

impl Chooses for Chooser {
    fn chooses(&self, headers: &HeaderMap, client: IpAddr) -> bool {
        match headers.get(&self.word.header).map(http::HeaderValue::as_bytes) {
            Some(word) if word == self.word.taken => return true,
            Some(word) if word == self.word.left => return false,
            _ => {}
        }
        let split = Split::new(self.seed, self.share());
        let by_ip = || split.takes(client.to_string().as_bytes());
        match &self.key {
            Key::Ip => by_ip(),
            Key::Header(name) => headers.get(name).map_or_else(by_ip, |value| split.takes(value.as_bytes())),
            Key::Cookie(name) => cookie(headers, name).map_or_else(by_ip, |value| split.takes(value.as_bytes())),
        }
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookie_of(headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok()), name)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use http::{HeaderMap, HeaderValue};
    use hull_gateway::Chooses as _;
    use hull_manifest::StickyBy;
    use hull_rollout::Share;

    use super::{Chooser, PREVIEW, cookie};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_preview_header_decides_before_the_share() {
        let chooser = |share| Chooser::new(&StickyBy::Ip, 1, share, PREVIEW);
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(!chooser(Share::NONE).chooses(&headers(&[]), ip));
        assert!(chooser(Share::ALL).chooses(&headers(&[]), ip));
        assert!(chooser(Share::NONE).chooses(&headers(&[("x-hull-preview", "canary")]), ip));
        assert!(!chooser(Share::ALL).chooses(&headers(&[("x-hull-preview", "stable")]), ip));
    }

    #[test]
    fn cookies_are_read() {
        let found = headers(&[("cookie", "a=1; session=abc ;b=2")]);
        assert_eq!(cookie(&found, "session"), Some("abc"));
        assert_eq!(cookie(&found, "sess"), None);
    }
}
