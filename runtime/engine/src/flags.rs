//! What an app's flags say of whoever asks: decided once, where a request or an event comes in, and the same for all that
//! is done for it, whatever is set meanwhile.

use std::sync::Arc;

use http::header::COOKIE;
use http::{HeaderMap, HeaderName};
use hull_config::{ConfigCtx, Nobody};
use hull_invocation::{Cause, Event, Invocation, Pinned};
use hull_rollout::{Asks, Decided, cookie_of};

use crate::deploy::Version;
use crate::services::Provisions;

/// Where the gateway says from where a request comes.
const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("spin-client-addr");

/// Who sent a request.
struct Client<'a>(&'a HeaderMap);

impl Asks for Client<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        cookie_of(self.0.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok()), name)
    }

    /// Without the port, which is another for each connection.
    fn origin(&self) -> Option<&str> {
        let (ip, _) = self.0.get(CLIENT_ADDRESS)?.to_str().ok()?.rsplit_once(':')?;
        Some(ip.trim_start_matches('[').trim_end_matches(']'))
    }
}

/// For whom an event is handled: what its own headers say, or the business process that it belongs to.
struct Process<'a>(&'a Event, &'a str);

impl Asks for Process<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.header(name)
    }

    fn cookie(&self, _: &str) -> Option<&str> {
        None
    }

    fn origin(&self) -> Option<&str> {
        Some(self.1)
    }
}

/// Decide for a request, unless it was decided for whoever began the chain of calls.
pub(crate) fn decide_request(version: &Version, invocation: &Invocation, headers: &HeaderMap) {
    match invocation.cause {
        Cause::Http => decide(version, invocation, &Client(headers)),
        // What a caller sends along is not who asked.
        Cause::Call | Cause::Event => decide(version, invocation, &Nobody),
    }
}

/// Decide for an event.
pub(crate) fn decide_event(version: &Version, invocation: &Invocation, event: &Event) {
    decide(version, invocation, &Process(event, invocation.correlation_id.as_str()));
}

fn decide(version: &Version, invocation: &Invocation, who: &impl Asks) {
    let flags = version.provisions.flags.load();
    // An instance that serves many at once could pass on what was decided for one of them to what it does for others.
    if let Some(flags) = flags.as_ref().filter(|_| !version.provisions.serves_many) {
        invocation.lineage.frame().decide(|| Pinned::new(flags.decide(who)));
    }
}

/// What a guest sees of its variables.
pub(crate) fn config_of(provisions: &Provisions, invocation: &Invocation) -> ConfigCtx {
    let settings = Arc::clone(&provisions.settings);
    if provisions.serves_many {
        return ConfigCtx::of_many(settings, Arc::clone(&provisions.flags));
    }
    ConfigCtx::new(settings, invocation.lineage.frame().decided().and_then(Pinned::get::<Decided>))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use hull_manifest::StickyBy;
    use hull_rollout::{Asks as _, key_of};

    use super::Client;

    #[test]
    fn a_client_is_known_by_address_header_or_cookie() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("spin-client-addr", "[::1]:4711"), ("x-user", "ann"), ("cookie", "a=1; session=abc")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let client = Client(&headers);
        let key = |by: StickyBy| key_of(&by, &client);
        assert_eq!(key(StickyBy::Ip), Some("::1"));
        assert_eq!(key(StickyBy::Header("x-user".parse().expect("a name"))), Some("ann"));
        assert_eq!(key(StickyBy::Cookie("session".to_owned())), Some("abc"));
        assert_eq!(key(StickyBy::Cookie("other".to_owned())), Some("::1"), "whoever has none is known by the address");
        headers.insert("spin-client-addr", HeaderValue::from_static("127.0.0.1:9"));
        assert_eq!(Client(&headers).origin(), Some("127.0.0.1"));
    }
}
