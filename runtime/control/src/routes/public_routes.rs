//! What an app serves to the outside.

use std::fmt;

use hull_manifest::{App, HttpTarget, Route, RouteSplit, TriggerRoute};
use serde_json::{Value, json};

/// A route that the gateway serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRoute {
    /// As the manifest writes it.
    pub route: String,
    /// Who answers.
    pub answers: Answers,
}

/// Who answers on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// The manifest has the answer.
    Static,
    /// A component.
    Component(String),
    /// A server elsewhere.
    Upstream(String),
    /// Both.
    Split {
        /// The component.
        component: String,
        /// Its share of users, in percent.
        percent: u32,
        /// The server elsewhere, which has the others.
        upstream: String,
    },
}

impl PublicRoute {
    /// For programs.
    pub fn to_json(&self) -> Value {
        let (component, upstream, percent) = match &self.answers {
            Answers::Static => (None, None, None),
            Answers::Component(component) => (Some(component), None, None),
            Answers::Upstream(upstream) => (None, Some(upstream), None),
            Answers::Split { component, percent, upstream } => (Some(component), Some(upstream), Some(*percent)),
        };
        let mut shown = json!({ "route": self.route, "component": component });
        if let (Some(upstream), Some(fields)) = (upstream, shown.as_object_mut()) {
            fields.insert("upstream".to_owned(), json!(upstream));
            fields.extend(percent.map(|percent| ("component_percent".to_owned(), json!(percent))));
        }
        shown
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("(static response)"),
            Self::Component(component) => f.write_str(component),
            Self::Upstream(upstream) => write!(f, "upstream {upstream}"),
            Self::Split { component, percent, upstream } => {
                write!(f, "{component} {percent}%, upstream {upstream} {}%", 100_u32.saturating_sub(*percent))
            }
        }
    }
}

/// How a route is split, if it is.
pub(crate) fn split_of<'a>(app: &'a App, route: &Route) -> Option<&'a RouteSplit> {
    let (_, policy) = app.routes.iter().find(|(with_policy, _)| with_policy.same_paths(route))?;
    policy.split.as_ref()
}

/// The public routes of an app: those of triggers in the order of its manifest, then those of upstreams.
pub fn public_routes(app: &App) -> Vec<PublicRoute> {
    let triggered = app.http_triggers.iter().filter_map(|trigger| {
        let TriggerRoute::Public(route) = &trigger.route else { return None };
        let answers = match (&trigger.target, split_of(app, route)) {
            (HttpTarget::Static(_), _) => Answers::Static,
            (HttpTarget::Component(name), None) => Answers::Component(name.to_string()),
            (HttpTarget::Component(name), Some(split)) => Answers::Split {
                component: name.to_string(),
                percent: split.component.get(),
                upstream: split.upstream.to_string(),
            },
        };
        Some(PublicRoute { route: route.to_string(), answers })
    });
    let kept = app.upstreams.iter().flat_map(|(name, upstream)| {
        let route =
            |route: &Route| PublicRoute { route: route.to_string(), answers: Answers::Upstream(name.to_string()) };
        upstream.routes.iter().map(route)
    });
    triggered.chain(kept).collect()
}
