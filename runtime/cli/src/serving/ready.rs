//! What a host says when it serves: routes and addresses for people, one line of JSON for programs.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use hull_control::PublicRoute;
use serde_json::json;

use crate::terminal;

pub(super) struct Ready<'a> {
    pub(super) apps: &'a [ServedApp],
    pub(super) listen: SocketAddr,
    pub(super) admin: &'a str,
    pub(super) took: Duration,
}

/// An app that serves.
pub(super) struct ServedApp {
    pub(super) name: String,
    /// Where it was deployed to a daemon.
    pub(super) revision: Option<u64>,
    pub(super) routes: Vec<PublicRoute>,
}

impl Ready<'_> {
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json { self.print_json() } else { self.print_text() }
    }

    fn print_json(&self) -> anyhow::Result<()> {
        let routes: Vec<_> = self.apps.iter().flat_map(|app| &app.routes).map(PublicRoute::to_json).collect();
        let apps: Vec<_> = self.apps.iter().map(|app| json!({ "app": app.name, "revision": app.revision })).collect();
        let only = match self.apps {
            [one] => Some(&one.name),
            _ => None,
        };
        let line = json!({
            "event": "ready",
            "app": only,
            "apps": apps,
            "listen": self.listen.to_string(),
            "admin": self.admin,
            "ready_ms": self.took.as_millis() as u64,
            "routes": routes,
        });
        terminal::print(&format!("{line}\n"))
    }

    fn print_text(&self) -> anyhow::Result<()> {
        let routes = self.apps.iter().flat_map(|app| &app.routes);
        let width = routes.map(|route| route.route.len()).max().unwrap_or_default();
        let mut text = String::new();
        for app in self.apps {
            let revision = app.revision.map(|revision| format!(" revision {revision}")).unwrap_or_default();
            // Writing to a string does not fail.
            let _ = writeln!(text, "app {}{revision}", app.name);
            for route in &app.routes {
                let _ = writeln!(text, "  http://{}{:width$}  {}", self.listen, route.route, route.answers);
            }
        }
        if self.apps.is_empty() {
            let _ = writeln!(text, "no app is deployed yet: `hull deploy` deploys one to http://{}", self.listen);
        }
        let _ = writeln!(text, "admin {}\nready in {} ms", self.admin, self.took.as_millis());
        terminal::print(&text)
    }
}
