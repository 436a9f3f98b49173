//! What a manifest may say and this version does not do yet. Where leaving it out would let somebody in or lose
//! something, the manifest is refused; the rest is told.

use hull_manifest::{App, Auth, BusBackend, Host, RoutePolicy, Storage};

/// What is asked for and missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unenforced {
    /// Reasons to refuse.
    pub refused: Vec<String>,
    /// Settings without effect.
    pub ignored: Vec<String>,
}

/// Look through both manifests.
pub fn unenforced(app: &App, host: &Host) -> Unenforced {
    let mut found = Unenforced::default();
    for (route, policy) in &app.routes {
        look_at_route(&route.to_string(), policy, &mut found);
    }
    for name in app.upstreams.keys() {
        found.refused.push(format!("upstreams.{name}: upstreams are not served by this version"));
    }
    if host.tls.is_some() {
        found.refused.push("hull.toml: [tls]: this version serves plain HTTP only; put a TLS proxy in front".to_owned());
    }
    if matches!(host.bus.backend, BusBackend::Nats { .. }) {
        found.refused.push("hull.toml: [bus] backend = \"nats\": this version has \"embedded\" only".to_owned());
    }
    for (name, storage) in &host.storage {
        if matches!(storage, Storage::Postgres { .. }) {
            found.refused.push(format!(
                "hull.toml: [storage.{name}] backend = \"postgres\": this version has \"sqlite\" only"
            ));
        }
    }
    for component in &app.components {
        let hull = &component.hull;
        let settings = [
            ("limits.cpu-rate", hull.limits.cpu_rate.is_some()),
            ("reserve", hull.reserve != hull_manifest::Reserve::default()),
            ("calls", !hull.calls.is_empty()),
            ("health", hull.health.is_some()),
        ];
        for (key, _) in settings.into_iter().filter(|(_, is_set)| *is_set) {
            found.ignored.push(format!("[component.{}.tool.hull] {key}", component.name));
        }
    }
    found
}

fn look_at_route(route: &str, policy: &RoutePolicy, found: &mut Unenforced) {
    let settings = [
        ("auth", policy.auth != Auth::None || !policy.scopes.is_empty()),
        ("rate-limit", policy.rate_limit.is_some()),
        ("cors", policy.cors.is_some()),
        ("cache", policy.cache.is_some()),
    ];
    for (key, _) in settings.into_iter().filter(|(_, is_set)| *is_set) {
        found.refused.push(format!("routes.\"{route}\".{key}: this version does not enforce it"));
    }
}
