//! What an operator sees: logs, metrics, and the ids that tie them together. One place, so that every line and
//! every series names app and component in the same words.

mod component;
mod events;
mod follow;
mod log;
mod metrics;
mod process;
mod resources;
mod ring;
mod subscriber;
mod writer;

pub use component::ComponentMetrics;
pub use events::EventFigures;
pub use follow::Follower;
pub use log::{LINE_BYTES_MAX, Level, LogIds, LogLine, LogSource};
pub use metrics::{GatewayMetrics, Metrics};
pub use resources::ResourceUsage;
pub use ring::{ComponentLog, Logs, RING_BYTES_MAX, RING_LINES_MAX};
pub use subscriber::{LogFormat, TelemetryConfig, TelemetryError, init};
pub use writer::LogWriter;
