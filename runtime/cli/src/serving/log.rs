//! How a running host logs: as `[telemetry]` says, in colour where a person watches.

use std::io::{IsTerminal as _, Write};

use hull_manifest::{Host, LogFormat};
use hull_telemetry::{LogWriter, TelemetryConfig};

/// Directives as in `RUST_LOG`; the default tells what operators want to know.
const FILTER_VARIABLE: &str = "HULL_LOG";

pub(super) fn init(host: &Host, output: impl Write + Send + 'static) -> anyhow::Result<LogWriter> {
    let telemetry = &host.telemetry;
    let is_default = *telemetry == hull_manifest::Telemetry::default();
    let log_format = match telemetry.log_format {
        LogFormat::Json if is_default && std::io::stderr().is_terminal() => hull_telemetry::LogFormat::Pretty,
        LogFormat::Json => hull_telemetry::LogFormat::Json,
        LogFormat::Pretty => hull_telemetry::LogFormat::Pretty,
    };
    let mut config = TelemetryConfig { log_format, ..TelemetryConfig::default() };
    if let Ok(filter) = std::env::var(FILTER_VARIABLE) {
        config.log_filter = filter;
    }
    Ok(hull_telemetry::init(&config, output)?)
}
