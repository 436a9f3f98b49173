//! What a host says when it serves: routes and addresses for people, one line of JSON for programs.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use hull_control::PublicRoute;
use serde_json::json;

use crate::terminal;

pub(super) struct Ready<'a> {
    pub(super) app: &'a str,
    pub(super) listen: SocketAddr,
    pub(super) admin: &'a str,
    pub(super) routes: &'a [PublicRoute],
    pub(super) took: Duration,
}

impl Ready<'_> {
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json { self.print_json() } else { self.print_text() }
    }

    fn print_json(&self) -> anyhow::Result<()> {
        let routes: Vec<_> =
            self.routes.iter().map(|route| json!({ "route": route.route, "component": route.component })).collect();
        let line = json!({
            "event": "ready",
            "app": self.app,
            "listen": self.listen.to_string(),
            "admin": self.admin,
            "ready_ms": self.took.as_millis() as u64,
            "routes": routes,
        });
        terminal::print(&format!("{line}\n"))
    }

    fn print_text(&self) -> anyhow::Result<()> {
        let width = self.routes.iter().map(|route| route.route.len()).max().unwrap_or_default();
        let mut text = format!("app {}\n", self.app);
        // Writing to a string does not fail.
        for route in self.routes {
            let target = route.component.as_deref().unwrap_or("(static response)");
            let _ = writeln!(text, "  http://{}{:width$}  {target}", self.listen, route.route);
        }
        let _ = writeln!(text, "admin {}\nready in {} ms", self.admin, self.took.as_millis());
        terminal::print(&text)
    }
}
