//! An app that has been read, before it is known whether its parts fit together: values with their places.

use super::{Components, Upstream};
use crate::bulkhead::Bulkhead;
use crate::name::Name;
use crate::policies::RoutePolicy;
use crate::read::Span;
use crate::route::Route;
use crate::trigger::{HttpTrigger, MessagingTrigger, TriggerDraft};

/// Everything that checks look at.
pub(super) struct Draft<'d> {
    pub(super) components: &'d Components<'d>,
    pub(super) triggers: &'d Triggers,
    pub(super) details: &'d Details,
}

/// `[application]` with its `tool.hull`.
pub(super) struct Details {
    pub(super) name: Option<Name>,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) authors: Vec<String>,
    pub(super) bulkheads: Vec<Named<Bulkhead>>,
    pub(super) policies: Vec<PolicyDraft>,
    pub(super) upstreams: Vec<Named<Upstream>>,
}

/// A table that has a name.
pub(super) struct Named<T> {
    pub(super) name: Name,
    pub(super) name_at: Span,
    pub(super) value: T,
    /// What in it has a place of its own.
    pub(super) places: Vec<Span>,
}

/// The policies of a route.
pub(super) struct PolicyDraft {
    pub(super) route: Route,
    pub(super) route_at: Span,
    pub(super) policy: RoutePolicy,
}

/// All triggers.
#[derive(Default)]
pub(super) struct Triggers {
    pub(super) http: Vec<TriggerDraft<HttpTrigger>>,
    pub(super) messaging: Vec<TriggerDraft<MessagingTrigger>>,
    /// How many were written, also those that could not be read.
    pub(super) written: usize,
}
