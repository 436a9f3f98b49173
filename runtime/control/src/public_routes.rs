//! What an app serves to the outside.

use hull_manifest::{App, HttpTarget, TriggerRoute};

/// A route that the gateway serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRoute {
    /// As the manifest writes it.
    pub route: String,
    /// Who answers; none for a static response.
    pub component: Option<String>,
}

/// The public routes of an app, in the order of its manifest.
pub fn public_routes(app: &App) -> Vec<PublicRoute> {
    let public = app.http_triggers.iter().filter_map(|trigger| match &trigger.route {
        TriggerRoute::Public(route) => Some((route, &trigger.target)),
        TriggerRoute::Private => None,
    });
    public
        .map(|(route, target)| PublicRoute {
            route: route.to_string(),
            component: match target {
                HttpTarget::Component(name) => Some(name.to_string()),
                HttpTarget::Static(_) => None,
            },
        })
        .collect()
}
