//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::problem::Invalid;
use crate::read::TextSetting;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress(SocketAddr);

impl ListenAddress {
    /// The address.
    pub fn get(self) -> SocketAddr {
        self.0
    }
}

impl Default for ListenAddress {
    fn default() -> Self {
        Self(SocketAddr::new(LOCAL, 3000))
    }
}

impl FromStr for ListenAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let message = format!("\"{text}\" is not an address and a port");
        text.parse().map(Self).map_err(|_| Invalid::new(message, format!("write {}", Self::WANTED)))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TextSetting for ListenAddress {
    const WANTED: &'static str = "an address and a port such as \"127.0.0.1:3000\" or \"[::1]:3000\"";
}

/// Where the admin interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// Over TCP, guarded by tokens.
    Tcp(SocketAddr),
    /// A Unix socket at that path, guarded by its permissions.
    Socket(String),
}

impl Default for AdminAddress {
    fn default() -> Self {
        Self::Tcp(SocketAddr::new(LOCAL, 3001))
    }
}

impl FromStr for AdminAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Tcp(address));
        }
        if text.contains('/') && !text.contains('\0') {
            return Ok(Self::Socket(text.to_owned()));
        }
        let message = format!("\"{text}\" is neither an address and a port nor a path");
        Err(Invalid::new(message, format!("write {}", Self::WANTED)))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Socket(path) => f.write_str(path),
        }
    }
}

impl TextSetting for AdminAddress {
    const WANTED: &'static str = "an address such as \"127.0.0.1:3001\", or a socket's path such as \"./admin.sock\"";
}
