//! Where each route leads: to a component with what holds on that route, or to an answer of the manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hull_dispatch::Account;
use hull_gateway::{ComponentTarget, DuplicateRoute, RouteTable, StaticAnswer, Target, Watch};
use hull_invocation::ComponentId;
use hull_manifest::{HttpTarget, Route, StaticResponse, TriggerRoute};

use crate::deploy::Deployed;
use crate::error::ComponentProblem;
use crate::node::Node;

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
        let app = &deployed.app;
        let components = deployed.components.iter();
        let accounts: BTreeMap<&str, &Arc<Account>> =
            components.map(|served| (served.id.component(), &served.account)).collect();
        for trigger in &app.http_triggers {
            let TriggerRoute::Public(route) = &trigger.route else { continue };
            let target = match &trigger.target {
                HttpTarget::Static(response) => Some(Target::Static(static_answer(response))),
                HttpTarget::Component(name) => accounts
                    .get(name.as_str())
                    .and_then(|account| self.component_target(deployed, name.as_str(), route, (account, watch))),
            };
            routes.extend(target.map(|target| (route.clone(), target)));
        }
    }

    fn component_target(
        &self,
        deployed: &Deployed,
        name: &str,
        route: &Route,
        (account, watch): (&Arc<Account>, Option<&Watch>),
    ) -> Option<Target> {
        let app = &deployed.app;
        let component = app.component(name)?;
        let policy = app.routes.iter().find(|(with_policy, _)| with_policy.same_paths(route)).map(|(_, policy)| policy);
        let limits = &component.hull.limits;
        let id = ComponentId::new(&app.name, &component.name);
        let time = policy.and_then(|policy| policy.timeout).map_or(limits.time, |time| time.min(limits.time));
        let body_max = policy.and_then(|policy| policy.body_max);
        let body_in_max = body_max.map_or(limits.body_in_max, |most| most.min(limits.body_in_max));
        Some(Target::Component(ComponentTarget {
            time,
            body_in_bytes_max: body_in_max.get(),
            account: Arc::clone(account),
            revision: Some(deployed.revision.clone()),
            metrics: self.metrics().component(&id),
            log: self.logs().component(&id),
            watch: watch.cloned(),
            id,
        }))
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
