//! Where each route leads: to a component or an upstream with what holds on that route, or to an answer of the manifest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hull_gateway::{Chooses, ComponentTarget, DuplicateRoute, RouteTable, Split, StaticAnswer, Target, Watch};
use hull_manifest::{ByteSize, HttpTarget, Route, RoutePolicy, RouteSplit, StaticResponse, TriggerRoute};
use hull_rollout::Share;

use crate::deploy::Deployed;
use crate::error::ComponentProblem;
use crate::node::Node;
use crate::rollouts::{Chooser, SPLIT};
use crate::routes::public_routes::split_of;

/// What one route is built from.
struct Place<'a> {
    deployed: &'a Deployed,
    route: &'a Route,
    watch: Option<&'a Watch>,
}

impl Node {
    /// The routes of every app, with this one in place of what it was.
    pub(crate) fn route_table(
        &self,
        deployed: &Deployed,
        apps: &BTreeMap<String, Deployed>,
        watch: Option<&Watch>,
    ) -> Result<RouteTable<Target>, ComponentProblem> {
        let app = &deployed.app;
        let mut routes = Vec::new();
        for other in apps.values().filter(|other| other.app.name != app.name) {
            self.add_routes(&mut routes, other, None);
        }
        self.add_routes(&mut routes, deployed, watch);
        RouteTable::new(routes).map_err(|duplicate| ComponentProblem {
            component: app.name.to_string(),
            message: format!("{duplicate}; it is served already, by this app or another"),
        })
    }

    /// The routes of these apps, which serve together.
    pub(crate) fn route_table_of(
        &self,
        apps: &BTreeMap<String, Deployed>,
    ) -> Result<RouteTable<Target>, DuplicateRoute> {
        let mut routes = Vec::new();
        apps.values().for_each(|deployed| self.add_routes(&mut routes, deployed, None));
        RouteTable::new(routes)
    }

    fn add_routes(&self, routes: &mut Vec<(Route, Target)>, deployed: &Deployed, watch: Option<&Watch>) {
        for trigger in &deployed.app.http_triggers {
            let TriggerRoute::Public(route) = &trigger.route else { continue };
            let place = Place { deployed, route, watch };
            let target = match &trigger.target {
                HttpTarget::Static(response) => Some(Target::Static(static_answer(response))),
                HttpTarget::Component(name) => self.component_target(&place, name.as_str()).map(Target::Component),
            };
            routes.extend(target.map(|target| (route.clone(), target)));
        }
        for (name, upstream) in &deployed.app.upstreams {
            for route in &upstream.routes {
                let target = self.upstream_target(&Place { deployed, route, watch }, name.as_str());
                routes.extend(target.map(|target| (route.clone(), Target::Component(target))));
            }
        }
    }

    fn component_target(&self, place: &Place<'_>, name: &str) -> Option<ComponentTarget> {
        let Place { deployed, route, watch } = place;
        let component = deployed.app.component(name)?;
        let served = deployed.components.iter().find(|served| served.id.component() == name)?;
        let limits = &component.hull.limits;
        let (time, body_in_bytes_max) = place.bounds(limits.time, limits.body_in_max);
        let target = ComponentTarget {
            id: served.id.clone(),
            time,
            body_in_bytes_max,
            account: Arc::clone(&served.account),
            revision: Some(deployed.revision.clone()),
            metrics: self.metrics().component(&served.id),
            log: self.logs().component(&served.id),
            watch: watch.cloned(),
            upstream: None,
            split: None,
        };
        match split_of(&deployed.app, route) {
            Some(split) => self.split_target(place, split, target),
            None => Some(target),
        }
    }

    /// The upstream, which sends a share of the users to the component.
    fn split_target(
        &self,
        place: &Place<'_>,
        split: &RouteSplit,
        component: ComponentTarget,
    ) -> Option<ComponentTarget> {
        let rest = self.upstream_target(place, split.upstream.as_str())?;
        let share = Share::from_hundredths(split.component.get().saturating_mul(100)).unwrap_or(Share::ALL);
        // The same users before and after a restart, and when the share grows.
        let seed = Chooser::seed_of(&format!("{} {}", place.deployed.app.name, place.route));
        let chooser: Arc<dyn Chooses> = Arc::new(Chooser::new(&split.by, seed, share, SPLIT));
        Some(ComponentTarget { split: Some(Split { chooses: chooser, target: Box::new(component) }), ..rest })
    }

    fn upstream_target(&self, place: &Place<'_>, name: &str) -> Option<ComponentTarget> {
        let Place { deployed, watch, .. } = place;
        let upstream = deployed.app.upstreams.get(name)?;
        let served = deployed.upstreams.iter().find(|served| served.id.component() == name)?;
        let (time, body_in_bytes_max) = place.bounds(upstream.settings.time, upstream.settings.body_max);
        Some(ComponentTarget {
            id: served.id.clone(),
            time,
            body_in_bytes_max,
            account: Arc::clone(&served.account),
            revision: None,
            metrics: self.metrics().component(&served.id),
            log: self.logs().component(&served.id),
            watch: watch.cloned(),
            upstream: Some(self.upstream_door(served, upstream)),
            split: None,
        })
    }
}

impl Place<'_> {
    /// How long a request may take, and how many bytes it may bring: what answers has bounds of its own, and the route may
    /// have tighter ones.
    fn bounds(&self, time: Duration, body_in_max: ByteSize) -> (Duration, u64) {
        let policy = self.policy();
        let timeout = policy.and_then(|policy| policy.timeout).unwrap_or(time);
        let body_max = policy.and_then(|policy| policy.body_max).unwrap_or(body_in_max);
        (time.min(timeout), body_in_max.min(body_max).get())
    }

    /// What holds on the route.
    fn policy(&self) -> Option<&RoutePolicy> {
        let mut policies = self.deployed.app.routes.iter();
        policies.find(|(with_policy, _)| with_policy.same_paths(self.route)).map(|(_, policy)| policy)
    }
}

fn static_answer(response: &StaticResponse) -> StaticAnswer {
    let mut headers = HeaderMap::new();
    for (name, value) in &response.headers {
        // The manifest has checked both.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            headers.append(name, value);
        }
    }
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::OK);
    StaticAnswer { status, headers, body: response.body.clone().into() }
}
