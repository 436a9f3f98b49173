//! An app: what one `spin.toml` describes.

mod checks;
mod components;
mod context;
mod draft;
mod policies;
mod read;
mod triggers;
mod upstream;

pub(crate) use components::Components;
pub(crate) use context::Context;
pub use context::Reading;
pub use upstream::{Forwarded, HostSent, Upstream, UpstreamSettings};

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::bulkhead::Bulkhead;
use crate::component::Component;
use crate::name::{Name, VariableName};
use crate::policies::RoutePolicy;
use crate::problem::Problems;
use crate::route::Route;
use crate::template::Template;
use crate::trigger::{HttpTrigger, MessagingTrigger};
use crate::variables::Variable;

/// What one `spin.toml` describes. Every name in it that refers to something refers to something that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its name, which its components share.
    pub name: Name,
    /// For people; may be empty.
    pub version: String,
    /// For people; may be empty.
    pub description: String,
    /// For people; may be empty.
    pub authors: Vec<String>,
    /// What can be set from outside.
    pub variables: BTreeMap<VariableName, Variable>,
    /// The bulkheads that are shared.
    pub bulkheads: BTreeMap<Name, Bulkhead>,
    /// The gateway's policies; each route overlaps with one that is served.
    pub routes: BTreeMap<Route, RoutePolicy>,
    /// Where requests go that no component answers yet.
    pub upstreams: BTreeMap<Name, Upstream>,
    /// Those with tables of their own, then those that are written in triggers; each in the order of the file.
    pub components: Vec<Component>,
    /// In the order of the file.
    pub http_triggers: Vec<HttpTrigger>,
    /// In the order of the file.
    pub messaging_triggers: Vec<MessagingTrigger>,
}

impl App {
    /// Parse a `spin.toml`. Everything that is wrong with it is told at once.
    pub fn parse(text: &str, reading: &Reading<'_>) -> Result<Self, Problems> {
        read::read_app(text, reading)
    }

    /// The component of that name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name.as_str() == name)
    }

    /// The bulkhead that a component is in: its name and its settings. One of its own has the component's name and
    /// holds as much as the component may use.
    pub fn bulkhead_of(&self, component: &Component) -> (Name, Bulkhead) {
        let shared = component.hull.bulkhead.as_ref().and_then(|name| self.bulkheads.get_key_value(name));
        if let Some((name, bulkhead)) = shared {
            return (name.clone(), bulkhead.clone());
        }
        let concurrency: NonZeroU32 = component.hull.limits.concurrency;
        let own = Bulkhead { instances: concurrency, concurrency, ..Bulkhead::default() };
        (component.name.clone(), own)
    }

    /// A template with the values of the variables filled in; none if one of them has no value.
    pub fn fill(&self, template: &Template) -> Option<String> {
        template.fill(|name| self.variables.get(name)?.value.as_deref())
    }

    /// Whether the value of a template must be kept out of logs and answers.
    pub fn is_secret(&self, template: &Template) -> bool {
        template.variables().any(|name| self.variables.get(name).is_none_or(|variable| variable.secret))
    }

    /// The messaging triggers of a component.
    pub fn subscriptions<'a>(&'a self, component: &'a Component) -> impl Iterator<Item = &'a MessagingTrigger> {
        self.messaging_triggers.iter().filter(|trigger| trigger.component == component.name)
    }
}
