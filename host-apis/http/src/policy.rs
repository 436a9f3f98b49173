//! `allowed_outbound_hosts` of one component: asked by name before anything is resolved, and by address after.

use std::net::IpAddr;

use http::uri::Scheme;
use hull_invocation::ComponentId;
use hull_manifest::OutboundHost;

use crate::address::{is_public, is_unreachable};
use crate::call::component_of;

/// Why a request may not be made. The text says which line of spin.toml would allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

/// Where one component may send requests.
#[derive(Debug, Clone)]
pub struct AllowedHosts {
    component: ComponentId,
    grants: Vec<OutboundHost>,
    /// One server that the manifest names, and not what a guest asks for.
    is_upstream: bool,
}

impl AllowedHosts {
    /// The grants as the manifest has them.
    pub fn new(component: ComponentId, grants: Vec<OutboundHost>) -> Self {
        Self { component, grants, is_upstream: false }
    }

    /// The server of an upstream. Its name may lead into a private network, which is where monoliths live: no guest has
    /// a say in where it leads.
    pub(crate) fn of_upstream(upstream: ComponentId) -> Self {
        Self { component: upstream, grants: Vec::new(), is_upstream: true }
    }

    /// Whether a request may go to this place at all.
    pub(crate) fn check_host(&self, scheme: &Scheme, host: &str, port: u16) -> Result<(), Refusal> {
        let allowed = match component_of(host) {
            Some(target) => self.grants.iter().any(|grant| grant.allows_component(target)),
            None => self.grants.iter().any(|grant| grant.allows(scheme.as_str(), host, port)),
        };
        if allowed {
            return Ok(());
        }
        let is_default = matches!((scheme.as_str(), port), ("http", 80) | ("https", 443));
        let port = if is_default { String::new() } else { format!(":{port}") };
        Err(self.refusal(format!("{scheme}://{host}{port}")))
    }

    /// Whether the address that the host's name led to may be connected to. A granted name must not lead into a
    /// private network: that needs a grant of the address or its network. `localhost` means this machine and
    /// nothing else.
    pub(crate) fn check_address(&self, scheme: &Scheme, host: &str, port: u16, address: IpAddr) -> Result<(), Refusal> {
        let is_localhost = host.eq_ignore_ascii_case("localhost");
        let granted = self.grants.iter().any(|grant| grant.grants_address(scheme.as_str(), address, port));
        let allowed = match (is_unreachable(address), is_localhost) {
            (true, _) => false,
            (false, true) => address.is_loopback(),
            (false, false) => is_public(address) || granted || self.is_upstream,
        };
        if allowed {
            return Ok(());
        }
        let shown = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        Err(self.refusal(format!("{scheme}://{shown}:{port}")))
    }

    fn refusal(&self, missing: String) -> Refusal {
        let Self { component, .. } = self;
        if self.is_upstream {
            let name = component.component();
            return Refusal(format!(
                "nobody can be at {missing}: change `url` of [application.tool.hull.upstreams.{name}]"
            ));
        }
        Refusal(format!(
            "{component} may not send requests to {missing}: add \"{missing}\" to `allowed_outbound_hosts` of \
             [component.{}] in spin.toml",
            component.component()
        ))
    }
}

#[cfg(test)]
mod tests {
    use http::uri::Scheme;
    use hull_invocation::ComponentId;

    use super::AllowedHosts;

    fn allowed(grants: &[&str]) -> AllowedHosts {
        let grants = grants.iter().map(|grant| grant.parse().expect("a grant")).collect();
        AllowedHosts::new(ComponentId::new("shop", "orders"), grants)
    }

    #[test]
    fn names_are_checked_with_scheme_and_port() {
        let hosts = allowed(&["https://api.example.com", "http://payments.internal"]);
        assert!(hosts.check_host(&Scheme::HTTPS, "api.example.com", 443).is_ok());
        assert!(hosts.check_host(&Scheme::HTTP, "api.example.com", 80).is_err());
        assert!(hosts.check_host(&Scheme::HTTPS, "api.example.com", 8443).is_err());
        assert!(hosts.check_host(&Scheme::HTTP, "payments.internal", 80).is_ok());
        assert!(hosts.check_host(&Scheme::HTTP, "payments.spin.internal", 80).is_ok());
        let refusal = hosts.check_host(&Scheme::HTTP, "users.internal", 80).expect_err("not granted");
        assert!(refusal.to_string().contains("add \"http://users.internal\""), "{refusal}");
    }

    #[test]
    fn a_granted_name_does_not_lead_into_a_private_network() {
        let hosts = allowed(&["http://api.example.com", "http://*:8080"]);
        for (private, port) in [("10.0.0.1", 80), ("127.0.0.1", 8080), ("169.254.169.254", 80), ("::1", 80)] {
            let address = private.parse().expect("an address");
            let checked = hosts.check_address(&Scheme::HTTP, "api.example.com", port, address);
            assert!(checked.is_err(), "{private}");
        }
        let public = "93.184.216.34".parse().expect("an address");
        assert!(hosts.check_address(&Scheme::HTTP, "api.example.com", 80, public).is_ok());
    }

    #[test]
    fn private_addresses_are_reached_by_granting_them() {
        let hosts = allowed(&["http://127.0.0.1:8080", "http://localhost:9090"]);
        let loopback = "127.0.0.1".parse().expect("an address");
        assert!(hosts.check_address(&Scheme::HTTP, "127.0.0.1", 8080, loopback).is_ok());
        assert!(hosts.check_address(&Scheme::HTTP, "127.0.0.1", 8081, loopback).is_err());
        assert!(hosts.check_address(&Scheme::HTTP, "localhost", 9090, loopback).is_ok());
        let elsewhere = "10.0.0.1".parse().expect("an address");
        assert!(hosts.check_address(&Scheme::HTTP, "localhost", 9090, elsewhere).is_err());
    }
}
