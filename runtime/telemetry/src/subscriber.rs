//! The host's log: where `tracing` goes, as JSON for machines or in colour for people. Guests' lines go the same
//! way under the target `guest`, so that one stream holds everything.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::log::{Level, LogLine};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Pretty,
}

/// What is logged, and how. `[telemetry]` of `hull.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct TelemetryConfig {
    /// How lines look.
    pub log_format: LogFormat,
    /// Directives as in `RUST_LOG`: `info`, `info,hull_gateway=debug`, `guest=warn`.
    pub log_filter: String,
    /// Where traces will be sent; kept for the exporter, which does not exist yet.
    pub otlp_endpoint: Option<String>,
    /// The share of traces to be sent, from 0 to 1; kept for the exporter as well.
    pub sample: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log_format: LogFormat::Json, log_filter: "info".to_owned(), otlp_endpoint: None, sample: 1.0 }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives cannot be parsed.
    #[error("the log filter {filter:?} is not valid ({reason}); write it like \"info,hull_gateway=debug\"")]
    Filter {
        /// As given.
        filter: String,
        /// What the parser says.
        reason: String,
    },
    /// Somebody has set up logging in this process before.
    #[error("logging is set up already in this process")]
    AlreadySet,
}

/// Send everything that is logged in this process to standard error. Once per process.
pub fn init(config: &TelemetryConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.log_filter).map_err(|error| TelemetryError::Filter {
        filter: config.log_filter.clone(),
        reason: error.to_string(),
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_timer(HullTime).with_writer(std::io::stderr);
    let set = match config.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Pretty => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    set.map_err(|_| TelemetryError::AlreadySet)
}

/// The clock of every other line of Hull, so that tests and people can compare them.
struct HullTime;

impl FormatTime for HullTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&hull_clock::rfc3339_now())
    }
}

/// Hand a component's line to the host's log.
pub(crate) fn emit(line: &LogLine) {
    // The level of a tracing event is part of its static description: one event per level.
    macro_rules! at {
        ($level:expr) => {{
            if tracing::enabled!(target: "guest", $level) {
                let ids = line.ids.as_ref();
                tracing::event!(
                    target: "guest",
                    $level,
                    app = line.component.app(),
                    component = line.component.component(),
                    source = line.source.as_str(),
                    severity = line.level.as_str(),
                    request_id = ids.map(|ids| ids.request_id.as_str()),
                    correlation_id = ids.map(|ids| ids.correlation_id.as_str()),
                    trace_id = ids.map(|ids| tracing::field::display(ids.trace.trace_id())),
                    "{}",
                    line.message,
                );
            }
        }};
    }
    match line.level {
        Level::Trace => at!(tracing::Level::TRACE),
        Level::Debug => at!(tracing::Level::DEBUG),
        Level::Info => at!(tracing::Level::INFO),
        Level::Warn => at!(tracing::Level::WARN),
        Level::Error | Level::Critical => at!(tracing::Level::ERROR),
    }
}
