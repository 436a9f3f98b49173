//! Two sets of routes at once: those that serve, and those of a revision that is tried on some of the requests. Who is
//! sent there is somebody else's to say; the gateway asks before it looks for a route, so that no request sees both.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::target::Sites;

/// Says who is sent to the revision that is tried, or to one side of a split route. Asked for every request: it must be quick.
pub trait Chooses: Send + Sync {
    /// Whether this request is.
    fn chooses(&self, headers: &HeaderMap, client: IpAddr) -> bool;
}

/// Hears of the requests that a component has answered, or not.
pub trait Watches: Send + Sync {
    /// One has come to its end: after how long, and with which status.
    fn answered(&self, took: Duration, status: u16);
}

/// What requests find their routes in.
pub(crate) struct Served {
    pub(crate) sites: Sites,
    pub(crate) trial: Option<Trial>,
}

pub(crate) struct Trial {
    pub(crate) sites: Sites,
    pub(crate) chooses: Arc<dyn Chooses>,
}

impl Served {
    /// The routes for a request.
    pub(crate) fn sites_for(&self, headers: &HeaderMap, client: IpAddr) -> &Sites {
        match &self.trial {
            Some(trial) if trial.chooses.chooses(headers, client) => &trial.sites,
            _ => &self.sites,
        }
    }
}
