//! Where routes lead, and what is worked out once per route so that requests need not.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hull_dispatch::{Account, Invoke};
use hull_invocation::{ComponentId, Pinned};
use hull_telemetry::{ComponentLog, ComponentMetrics};

use crate::routes::RouteTable;
use crate::trial::{Chooses, Watches};
use hull_manifest::{Forwarded, Route, Segment};

/// What answers at a route.
#[derive(Debug, Clone)]
pub enum Target {
    /// A component.
    Component(ComponentTarget),
    /// The gateway itself, always the same.
    Static(StaticAnswer),
}

/// A component behind a route, with what is to be held to there.
#[derive(Debug, Clone)]
pub struct ComponentTarget {
    /// Which component.
    pub id: ComponentId,
    /// The revision that the route belongs to, which serves its requests: none sees a route of one and code of another.
    pub revision: Option<Pinned>,
    /// To the last byte of the answer: the least of the component's `time` and the route's `timeout`.
    pub time: Duration,
    /// The request's body: the least of the component's `body-in-max` and the route's `body-max`.
    pub body_in_bytes_max: u64,
    /// Who pays for what the gateway does for it.
    pub account: Arc<Account>,
    /// Where requests are counted.
    pub metrics: Arc<ComponentMetrics>,
    /// Where failures are told in full.
    pub log: Arc<ComponentLog>,
    /// Who compares revisions, while one is tried.
    pub watch: Option<Watch>,
    /// Who answers, if it is a server elsewhere and no guest.
    pub upstream: Option<UpstreamDoor>,
    /// Who goes elsewhere on this route.
    pub split: Option<Split>,
}

/// The way to an upstream.
#[derive(Clone)]
pub struct UpstreamDoor {
    /// Admits and sends requests, in place of the door to guests.
    pub door: Arc<dyn Invoke>,
    /// What becomes of the headers that say where a request came from.
    pub forwarded: Forwarded,
}

impl fmt::Debug for UpstreamDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamDoor").field("forwarded", &self.forwarded).finish_non_exhaustive()
    }
}

/// A part of a route's requests that goes elsewhere.
#[derive(Clone)]
pub struct Split {
    /// Says which.
    pub chooses: Arc<dyn Chooses>,
    /// Where they go.
    pub target: Box<ComponentTarget>,
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split").field("target", &self.target.id).finish_non_exhaustive()
    }
}

/// Somebody who hears of every request that has been answered.
#[derive(Clone)]
pub struct Watch(pub Arc<dyn Watches>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// An answer that needs no component: `static_response`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A target with the headers that every request for it gets.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) target: Target,
    /// `/orders/:id/...`
    pub(crate) route: HeaderValue,
    /// `/orders/:id`
    pub(crate) route_base: HeaderValue,
    /// `spin-path-match-<name>`, in the order of the route.
    pub(crate) params: Vec<HeaderName>,
    /// Where a part of the requests goes instead.
    taken: Option<Taken>,
}

struct Taken {
    chooses: Arc<dyn Chooses>,
    site: Arc<Site>,
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Taken").field(&self.site).finish()
    }
}

/// Routes as requests use them.
pub(crate) type Sites = RouteTable<Arc<Site>>;

impl Site {
    pub(crate) fn new(route: &Route, mut target: Target) -> Self {
        let split = match &mut target {
            Target::Component(target) => target.split.take(),
            Target::Static(_) => None,
        };
        let taken = split.map(|Split { chooses, target }| Taken {
            chooses,
            site: Arc::new(Self::new(route, Target::Component(*target))),
        });
        let text = route.to_string();
        let base = if route.has_wildcard() { text.trim_end_matches("/...") } else { &text };
        // Routes are visible ASCII and their parameters' names are letters, digits, - and _.
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        let params = route.segments().iter().filter_map(|segment| match segment {
            Segment::Param(name) => {
                let name = format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-"));
                Some(HeaderName::try_from(name).unwrap_or(HeaderName::from_static("spin-path-match")))
            }
            Segment::Literal(_) => None,
        });
        Self { route: value(&text), route_base: value(base), params: params.collect(), target, taken }
    }

    /// Where a request goes.
    pub(crate) fn chosen<'a>(self: &'a Arc<Self>, headers: &HeaderMap, client: IpAddr) -> &'a Arc<Self> {
        match &self.taken {
            Some(taken) if taken.chooses.chooses(headers, client) => &taken.site,
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::{Site, StaticAnswer, Target};

    #[test]
    fn headers_are_named_as_in_spin() {
        let answer = StaticAnswer { status: StatusCode::OK, headers: HeaderMap::new(), body: "".into() };
        let site = |route: &str| Site::new(&route.parse().expect("a route"), Target::Static(answer.clone()));
        let orders = site("/orders/:Order_id/...");
        assert_eq!(orders.route, "/orders/:Order_id/...");
        assert_eq!(orders.route_base, "/orders/:Order_id");
        assert_eq!(orders.params, ["spin-path-match-order-id"]);
        assert_eq!(site("/...").route_base, "");
        assert_eq!(site("/a").route_base, "/a");
    }
}
