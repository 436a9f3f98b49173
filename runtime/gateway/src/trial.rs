//! Two sets of routes at once: those that serve, and those of a revision that is tried on some of the requests. Who is
//! sent there is somebody else's to say; the gateway asks before it looks for a route, so that no request sees both.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use hull_invocation::Tape;

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

    /// Whether this request, which has no body, is copied, and who takes the copy.
    fn copies(&self, _request: &Parts) -> Option<Box<dyn Copies>> {
        None
    }
}

/// Takes a copy of one request and of its answer. One that is dropped before [`Copies::done`] was of no use.
pub trait Copies: Send {
    /// What the calls of the component that answers are written to.
    fn tape(&self) -> Arc<Tape>;
    /// The answer's head, as the component gave it.
    fn head(&mut self, status: StatusCode, headers: &HeaderMap);
    /// A piece of its body.
    fn piece(&mut self, bytes: &Bytes);
    /// All of it has been there.
    fn done(self: Box<Self>);
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
