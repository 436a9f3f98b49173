//! What the gateway listens on and what it puts up with.

use std::net::SocketAddr;
use std::time::Duration;

use crate::heads::HeadLimits;

/// Bounds on what one client, and all of them, may take of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Connections that may be open at once; others are answered 503 and closed.
    pub connections_max: usize,
    /// A request's line and headers together, in bytes.
    pub header_bytes_max: usize,
    /// A request's headers.
    pub header_count_max: usize,
    /// A request's target, in bytes.
    pub target_bytes_max: usize,
    /// From a head's first byte to its last; on a new connection, from accepting it.
    pub header_read_timeout: Duration,
    /// How long a connection may stay open between requests.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of what is written to it.
    pub write_stall_timeout: Duration,
    /// After the signal to stop: how long running requests may go on.
    pub drain: Duration,
    /// A line per request.
    pub access_log: AccessLog,
}

/// Whether every request leaves a line in the log, under the target `hull::access`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessLog {
    /// None.
    Off,
    /// At level debug.
    #[default]
    Debug,
    /// At level info.
    Info,
}

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; stop what listens there, or change `listen` in hull.toml or --listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            connections_max: 10_000,
            header_bytes_max: 64 * 1024,
            header_count_max: 100,
            target_bytes_max: 8 * 1024,
            header_read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            write_stall_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            access_log: AccessLog::default(),
        }
    }
}

impl GatewayConfig {
    pub(crate) fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            bytes_max: self.header_bytes_max,
            count_max: self.header_count_max,
            target_bytes_max: self.target_bytes_max,
        }
    }
}
