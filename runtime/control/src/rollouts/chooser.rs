//! Who is sent to the canary: always the same users, whatever connection and component they come by.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::COOKIE;
use http::{HeaderMap, HeaderName};
use hull_gateway::Chooses;
use hull_rollout::{Share, Split, StickyBy, cookie_of};

/// Whoever sends it is sent to the canary (`canary`) or not (`stable`), whatever the share.
const PREVIEW: HeaderName = HeaderName::from_static("x-hull-preview");

pub(super) struct Chooser {
    by: StickyBy,
    seed: u64,
    share: AtomicU32,
}

impl Chooser {
    pub(super) fn new(by: StickyBy, seed: u64, share: Share) -> Self {
        Self { by, seed, share: AtomicU32::new(share.hundredths()) }
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
        match headers.get(PREVIEW).map(http::HeaderValue::as_bytes) {
            Some(b"canary") => return true,
            Some(b"stable") => return false,
            _ => {}
        }
        let split = Split::new(self.seed, self.share());
        let by_ip = || split.takes(client.to_string().as_bytes());
        match &self.by {
            StickyBy::Ip => by_ip(),
            StickyBy::Header(name) => headers.get(name).map_or_else(by_ip, |value| split.takes(value.as_bytes())),
            StickyBy::Cookie(name) => cookie(headers, name).map_or_else(by_ip, |value| split.takes(value.as_bytes())),
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
    use hull_rollout::{Share, StickyBy};

    use super::{Chooser, cookie};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_preview_header_decides_before_the_share() {
        let chooser = |share| Chooser::new(StickyBy::Ip, 1, share);
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
