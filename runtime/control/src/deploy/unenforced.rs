//! What a manifest may say and this version does not do yet. Where leaving it out would let somebody in or lose
//! something, the manifest is refused; the rest is told.

use hull_manifest::{App, Auth, ComponentSettings, Host, RoutePolicy, Secrets, Telemetry};

/// What is asked for and missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unenforced {
    /// Reasons to refuse.
    pub refused: Vec<String>,
    /// Settings without effect.
    pub ignored: Vec<String>,
}

/// Look through both manifests, or the host's alone.
pub fn unenforced(app: Option<&App>, host: &Host) -> Unenforced {
    let mut found = Unenforced::default();
    if let Some(app) = app {
        look_at_app(app, &mut found);
    }
    if host.tls.is_some() {
        found
            .refused
            .push("hull.toml: [tls]: this version serves plain HTTP only; put a TLS proxy in front".to_owned());
    }
    look_at_host(host, &mut found);
    found
}

fn look_at_app(app: &App, found: &mut Unenforced) {
    for (route, policy) in &app.routes {
        look_at_route(&route.to_string(), policy, found);
    }
    look_at_components(app, found);
}

/// A new version is asked how it is when it takes another's place, and not again.
const AFTER_DEPLOYMENT: &str = "health after a deployment";

/// One line per key, however many components have it.
fn look_at_components(app: &App, found: &mut Unenforced) {
    type Is = fn(&ComponentSettings) -> bool;
    let keys: [(&str, Is); 2] =
        [("calls", |hull| !hull.calls.is_empty()), (AFTER_DEPLOYMENT, |hull| hull.health.is_some())];
    for (key, is_set) in keys {
        let with = app.components.iter().filter(|component| is_set(&component.hull));
        let names: Vec<_> = with.map(|component| component.name.as_str()).collect();
        if !names.is_empty() {
            found.ignored.push(format!("[component.*.tool.hull] {key} (of {})", names.join(", ")));
        }
    }
}

fn look_at_host(host: &Host, found: &mut Unenforced) {
    if host.secrets != Secrets::Env {
        found.refused.push("hull.toml: [secrets] provider: this version has \"env\" only".to_owned());
    }
    let telemetry = Telemetry::default();
    let settings = [
        ("[telemetry] otlp-endpoint", host.telemetry.otlp_endpoint != telemetry.otlp_endpoint),
        ("[telemetry] sample", host.telemetry.sample != telemetry.sample),
        ("[auth.jwt]", host.jwt.is_some()),
    ];
    for (key, _) in settings.into_iter().filter(|(_, is_set)| *is_set) {
        found.ignored.push(format!("hull.toml: {key}"));
    }
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

#[cfg(test)]
mod tests {
    use hull_manifest::{App, Host, Reading};

    use super::{Unenforced, unenforced};

    fn found(app: &str, host: &str) -> Unenforced {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"shop\"\nversion = \"1\"\n\
             [[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\n\
             [component.a]\nsource = \"a.wasm\"\n{app}"
        );
        let app = App::parse(&text, &Reading::alone("spin.toml")).expect("a manifest");
        unenforced(Some(&app), &Host::parse(host, "hull.toml").expect("a configuration"))
    }

    #[test]
    fn defaults_ask_for_nothing_that_is_missing() {
        assert_eq!(found("", ""), Unenforced::default());
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let app = "[component.a.tool.hull]\nhealth = { path = \"/health\" }\n";
        let told = found(app, "[telemetry]\nsample = \"5%\"\n");
        assert!(told.refused.is_empty(), "{told:?}");
        let keys = ["health", "[telemetry] sample"];
        assert_eq!(told.ignored.len(), keys.len(), "{told:?}");
        for (key, line) in keys.iter().zip(&told.ignored) {
            assert!(line.contains(key), "{key} in {line}");
        }
    }

    #[test]
    fn what_would_be_missed_is_refused() {
        let told = found("", "[secrets]\nprovider = \"file\"\npath = \"secrets\"\n");
        assert_eq!(told.refused.len(), 1, "{told:?}");
    }
}
