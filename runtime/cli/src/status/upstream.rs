//! The upstreams in `hull status`.

use serde::Deserialize;

use super::{Bulkhead, Invocations};
use crate::terminal::harmless;

/// What `/v1/components` says of an upstream, as far as the table shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UpstreamStatus {
    app: String,
    upstream: String,
    url: String,
    routes: Vec<Route>,
    bulkhead: Option<Bulkhead>,
    invocations: Invocations,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Route {
    route: String,
    /// What a component has of it already.
    component_percent: Option<u32>,
}

pub(super) const HEADS: [&str; 8] = ["UPSTREAM", "URL", "RUNNING", "WAITING", "SHED", "OK", "FAILED", "ROUTES"];

pub(super) fn row(status: &UpstreamStatus) -> [String; 8] {
    let of_bulkhead = |show: fn(&Bulkhead) -> String| status.bulkhead.as_ref().map(show).unwrap_or_default();
    let route = |route: &Route| match route.component_percent {
        Some(percent) => format!("{} ({}%)", harmless(&route.route), 100_u32.saturating_sub(percent)),
        None => harmless(&route.route),
    };
    [
        harmless(&format!("{}/{}", status.app, status.upstream)),
        harmless(&status.url),
        of_bulkhead(|bulkhead| format!("{}/{}", bulkhead.inside, bulkhead.concurrency_max)),
        of_bulkhead(|bulkhead| bulkhead.waiting.to_string()),
        of_bulkhead(|bulkhead| bulkhead.shed.to_string()),
        status.invocations.ok.to_string(),
        status.invocations.failed.to_string(),
        status.routes.iter().map(route).collect::<Vec<_>>().join(" "),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{UpstreamStatus, row};

    #[test]
    fn what_it_keeps_of_a_route_stands_beside_it() {
        let status = json!({
            "app": "shop", "upstream": "monolith", "url": "http://127.0.0.1:8080",
            "routes": [{ "route": "/orders/...", "component_percent": 5 }, { "route": "/..." }],
            "bulkhead": { "name": "monolith", "inside": 2, "waiting": 1, "shed": 3, "concurrency_max": 64 },
            "invocations": { "ok": 9, "failed": 4 },
        });
        let status: UpstreamStatus = serde_json::from_value(status).expect("an upstream");
        let expected = ["shop/monolith", "http://127.0.0.1:8080", "2/64", "1", "3", "9", "4", "/orders/... (95%) /..."];
        assert_eq!(row(&status), expected);
    }
}
