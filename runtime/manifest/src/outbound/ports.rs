//! Which ports an entry of `allowed_outbound_hosts` means.

use std::fmt;
use std::str::FromStr;

use crate::problem::Invalid;

/// Which ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// Every port.
    Any,
    /// This port.
    One(u16),
    /// `8000..8010`: from the first, up to but without the second, as in Spin.
    Range(u16, u16),
}

impl Ports {
    /// Whether the port is meant.
    pub fn allows(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => *one == port,
            Self::Range(start, end) => (*start..*end).contains(&port),
        }
    }
}

impl FromStr for Ports {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str, remedy: String| Invalid::new(format!("port {text} {what}"), remedy);
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        if text == "*" {
            return Ok(Self::Any);
        }
        let dashed = text.split_once('-').and_then(|(start, end)| number(start).zip(number(end)?.checked_add(1)));
        if let Some((start, end)) = dashed {
            return Err(wrong("is not how Spin writes a range", format!("write {start}..{end}; the end is left out")));
        }
        let remedy = "write a number from 1 to 65535, a range such as 8000..8010, or *";
        match text.split_once("..") {
            None => number(text).map(Self::One),
            Some((start, end)) => number(start).zip(number(end)).map(|(start, end)| Self::Range(start, end)),
        }
        .filter(|ports| !matches!(ports, Self::Range(start, end) if start >= end))
        .ok_or_else(|| wrong("is not a port", remedy.to_owned()))
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::One(port) => write!(f, "{port}"),
            Self::Range(start, end) => write!(f, "{start}..{end}"),
        }
    }
}
