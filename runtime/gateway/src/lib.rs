//! The gateway: HTTP/1.1 and HTTP/2 without TLS on one port, in front of components. It finds out whom a request
//! is for, holds clients to their bounds and answers for components that do not; it knows nothing of wasm.

mod address;
mod answer;
mod config;
mod connection;
mod copy;
mod drain;
mod dress;
mod exchange;
mod forwarded;
mod framing;
mod gateway;
mod guard;
mod handler;
mod head_lines;
mod heads;
mod inbound;
mod listener;
mod path;
mod problem;
mod refusal;
mod routes;
mod survey;
mod target;
mod trial;
mod watch;

pub use config::{AccessLog, GatewayConfig, GatewayError};
pub use gateway::{Drained, Gateway, GatewayRoutes};
pub use path::meant;
pub use problem::{retry_after, status};
pub use routes::{DuplicateRoute, Match, RouteTable};
pub use survey::strip_hop_by_hop;
pub use target::{ComponentTarget, Split, StaticAnswer, Target, UpstreamDoor, Watch};
pub use trial::{Chooses, Copies, Watches};
