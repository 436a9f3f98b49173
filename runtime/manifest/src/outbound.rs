//! `allowed_outbound_hosts`: where a component may send requests, in Spin's syntax and with Spin's meaning.

mod host_pattern;
mod ports;

pub use host_pattern::HostPattern;
pub use ports::Ports;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::problem::Invalid;
use crate::read::words;
use crate::template::Template;

const WANTED: &str = "an entry such as \"https://api.example.com\", \"http://payments.internal\" or \"http://*:8080\"";

words! {
    /// The scheme of a grant.
    pub enum Scheme, "http, https or *" {
        /// Both of the others.
        Any = "*",
        /// Plain HTTP.
        Http = "http",
        /// HTTP over TLS.
        Https = "https",
    }
}

impl Scheme {
    fn allows(self, scheme: &str) -> bool {
        self == Self::Any || self.as_str() == scheme
    }
}

/// One entry of `allowed_outbound_hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundHost {
    /// Which scheme.
    pub scheme: Scheme,
    /// Which hosts.
    pub host: HostPattern,
    /// Which ports.
    pub ports: Ports,
}

impl OutboundHost {
    /// Whether a request to that host is granted by its name. A literal address is a name too.
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.scheme.allows(scheme) && self.ports.allows(port) && self.host.allows(host)
    }

    /// Whether that very address is granted as such: by itself or by a network that holds it, not by a name or a
    /// `*`. What a name resolves to needs this if the address is private.
    pub fn grants_address(&self, scheme: &str, address: IpAddr, port: u16) -> bool {
        let HostPattern::Network(network) = &self.host else { return false };
        self.scheme.allows(scheme) && self.ports.allows(port) && network.contains(&address)
    }

    /// Whether calls to that component of the same app are granted.
    pub fn allows_component(&self, name: &str) -> bool {
        self.scheme.allows("http") && self.ports.allows(80) && self.host.allows_component(name)
    }

    /// Whether requests to the app's own routes are granted (URLs without a host).
    pub fn allows_own_routes(&self) -> bool {
        matches!(self.host, HostPattern::Own | HostPattern::Any)
    }
}

impl FromStr for OutboundHost {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str, remedy: &str| Err(Invalid::new(format!("\"{text}\" {what}"), remedy));
        if text == "insecure:allow-all" {
            return wrong("is gone from Spin", "write \"*://*:*\" if everything is meant");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("has no scheme", &format!("write {WANTED}"));
        };
        let scheme = parse_scheme(text, scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest);
        if rest.contains(['?', '#', '@', '\\']) || rest.chars().any(char::is_whitespace) {
            return wrong("is more than a host and a port", &format!("write {WANTED}"));
        }
        let host: HostPattern = host.parse()?;
        let ports = match port {
            Some(port) => port.parse()?,
            None => default_ports(text, scheme, &host)?,
        };
        let inside = matches!(host, HostPattern::Component(_) | HostPattern::AnyComponent);
        if inside && scheme == Scheme::Https {
            return wrong("asks for TLS within the process", "write http://, which never leaves the process");
        }
        if inside && !ports.allows(80) {
            return wrong("names a port within the process, where there are none", "leave out the port");
        }
        Ok(Self { scheme, host, ports })
    }
}

/// The port is what follows the last colon, unless that colon is part of an IPv6 address in brackets.
fn split_port(rest: &str) -> (&str, Option<&str>) {
    match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    }
}

fn parse_scheme(text: &str, scheme: &str) -> Result<Scheme, Invalid> {
    match scheme {
        "postgres" | "mysql" | "redis" | "mqtt" => {
            let message = format!("\"{text}\": Hull has no outbound {scheme}");
            Err(Invalid::new(message, "remove it; components reach other hosts with wasi:http only"))
        }
        other => other
            .parse()
            .map_err(|_| Invalid::new(format!("\"{text}\" has the unknown scheme {other}"), "write http, https or *")),
    }
}

fn default_ports(text: &str, scheme: Scheme, host: &HostPattern) -> Result<Ports, Invalid> {
    match scheme {
        Scheme::Http => Ok(Ports::One(80)),
        Scheme::Https => Ok(Ports::One(443)),
        Scheme::Any if matches!(host, HostPattern::Component(_) | HostPattern::AnyComponent) => Ok(Ports::One(80)),
        Scheme::Any => {
            let message = format!("\"{text}\" has no port, and * has no default one");
            Err(Invalid::new(message, "add a port, or :* for every port"))
        }
    }
}

impl fmt::Display for OutboundHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        let inside = matches!(self.host, HostPattern::Component(_) | HostPattern::AnyComponent);
        match (&self.ports, self.scheme) {
            (Ports::One(80), Scheme::Http) | (Ports::One(443), Scheme::Https) => Ok(()),
            (Ports::One(80), Scheme::Any) if inside => Ok(()),
            (ports, _) => write!(f, ":{ports}"),
        }
    }
}

/// An entry as it is written, and what it grants once its variables are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundGrant {
    /// As in the manifest.
    pub written: Template,
    /// None as long as a variable in it has no value, which only a check leaves open.
    pub host: Option<OutboundHost>,
}

#[cfg(test)]
mod tests;
