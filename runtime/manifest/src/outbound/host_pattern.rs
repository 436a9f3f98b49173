//! Which hosts an entry of `allowed_outbound_hosts` means.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::name::Name;
use crate::problem::Invalid;

/// Ends of the host names that stay in the process; the second is Spin's.
const INSIDE: [&str; 2] = [".spin.internal", ".internal"];

/// Which hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Every host and every component of the app.
    Any,
    /// `*.example.com`: every name that ends in this text, which starts with a dot.
    Subdomains(String),
    /// That name, in lower case.
    Exact(String),
    /// An address, or all of a network.
    Network(IpNet),
    /// `self`: the app's own routes.
    Own,
    /// `<component>.internal`.
    Component(Name),
    /// `*.internal`: every component of the app.
    AnyComponent,
}

impl HostPattern {
    pub(super) fn allows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        match self {
            Self::Any => true,
            Self::Subdomains(end) => host.ends_with(end.as_str()) && host.len() > end.len(),
            Self::Exact(name) => host == *name,
            Self::Network(network) => address(&host).is_some_and(|address| network.contains(&address)),
            Self::Own => false,
            Self::Component(_) | Self::AnyComponent => {
                inside(&host).is_some_and(|component| self.allows_component(component))
            }
        }
    }

    pub(super) fn allows_component(&self, name: &str) -> bool {
        match self {
            Self::Any | Self::AnyComponent => true,
            Self::Component(component) => component.as_str() == name,
            _ => false,
        }
    }
}

/// An address as it stands in a URL: IPv6 in brackets.
fn address(host: &str) -> Option<IpAddr> {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bracketed.unwrap_or(host).parse().ok()
}

/// What stands before `.internal` or `.spin.internal`.
fn inside(host: &str) -> Option<&str> {
    INSIDE.iter().find_map(|end| host.strip_suffix(end))
}

fn network(host: &str) -> Option<IpNet> {
    match address(host) {
        Some(address) => Some(IpNet::from(address)),
        None => host.parse::<IpNet>().map(|network| network.trunc()).ok(),
    }
}

impl FromStr for HostPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: String, remedy: &str| Err(Invalid::new(what, remedy));
        if let Some(network) = network(text) {
            return Ok(Self::Network(network));
        }
        let host = text.to_ascii_lowercase();
        match host.as_str() {
            "" => return wrong("the host is empty".to_owned(), "write a host name, an address or *"),
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::Own),
            _ => {}
        }
        if host.starts_with('{') {
            return wrong(format!("{text} is a list"), "write one entry for each host");
        }
        if host.contains('/') {
            return wrong(format!("{text} has a path"), "leave out the path: a grant is for a whole host");
        }
        if let Some(component) = inside(&host) {
            let name = if component == "*" { return Ok(Self::AnyComponent) } else { component.parse()? };
            return Ok(Self::Component(name));
        }
        let (rest, wildcard) = host.strip_prefix("*.").map_or((host.as_str(), false), |rest| (rest, true));
        let label = |label: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !label.is_empty() && label.bytes().all(known)
        };
        if !rest.split('.').all(label) {
            return wrong(format!("{text} is not a host name"), "write a host name; * may stand first, before a dot");
        }
        Ok(if wildcard { Self::Subdomains(format!(".{rest}")) } else { Self::Exact(rest.to_owned()) })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Subdomains(end) => write!(f, "*{end}"),
            Self::Exact(name) => f.write_str(name),
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => match network.addr() {
                IpAddr::V4(address) => write!(f, "{address}"),
                IpAddr::V6(address) => write!(f, "[{address}]"),
            },
            Self::Network(network) => write!(f, "{network}"),
            Self::Own => f.write_str("self"),
            Self::Component(name) => write!(f, "{name}.internal"),
            Self::AnyComponent => f.write_str("*.internal"),
        }
    }
}
